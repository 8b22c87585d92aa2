#include "platform/linux/load/pressure.h"

#include <charconv>

namespace cordon::platform {

std::optional<int64_t> ParsePressure(std::string_view text) {
  constexpr std::string_view kTotal = " total=";
  constexpr int64_t kNanosPerMicro = 1000;
  if (!text.starts_with("some ")) return std::nullopt;
  const std::string_view line = text.substr(0, text.find('\n'));
  const size_t at = line.find(kTotal);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view number = line.substr(at + kTotal.size());
  int64_t micros = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), micros);
  if (error != std::errc() || end != number.data() + number.size() || micros < 0 ||
      micros > INT64_MAX / kNanosPerMicro) {
    return std::nullopt;
  }
  return micros * kNanosPerMicro;
}

}  // namespace cordon::platform
