#include "agent/scan/scanner_wire.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "common/base/text.h"

namespace cordon::agent {
namespace {

using Kind = ScannerAnswer::Kind;
constexpr std::array kKinds = {Kind::kReady, Kind::kRefused, Kind::kMatches, Kind::kTooLate, Kind::kFailed};
constexpr size_t kLengthBytes = 4;

std::optional<std::string_view> TakeText(std::string_view* bytes) {
  if (bytes->size() < kLengthBytes) return std::nullopt;
  uint32_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) length = length << 8 | static_cast<uint8_t>((*bytes)[i]);
  bytes->remove_prefix(kLengthBytes);
  if (length > kMaxAnswerTextBytes || length > bytes->size()) return std::nullopt;
  const std::string_view text = bytes->substr(0, length);
  bytes->remove_prefix(length);
  return text;
}

}  // namespace

std::string EncodeAnswer(const ScannerAnswer& answer) {
  std::string bytes(1, static_cast<char>(answer.kind));
  for (size_t i = 0; i < std::min(answer.texts.size(), kMaxAnswerTexts); ++i) {
    const std::string_view text = std::string_view(answer.texts[i]).substr(0, kMaxAnswerTextBytes);
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes.push_back(static_cast<char>((text.size() >> shift) & 0xff));
    }
    bytes += text;
  }
  return bytes;
}

std::optional<ScannerAnswer> DecodeAnswer(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  const auto* kind = std::ranges::find(kKinds, static_cast<Kind>(bytes.front()));
  if (kind == kKinds.end()) return std::nullopt;
  ScannerAnswer answer{.kind = *kind, .texts = {}};
  bytes.remove_prefix(1);
  while (!bytes.empty()) {
    const std::optional<std::string_view> text = TakeText(&bytes);
    if (!text.has_value() || answer.texts.size() == kMaxAnswerTexts) return std::nullopt;
    answer.texts.push_back(Printable(*text));
  }
  return answer;
}

}  // namespace cordon::agent
