#include "platform/linux/load/power.h"

#include <string>

#include "platform/api/files.h"

namespace cordon::platform {
namespace {

std::string ReadWord(const std::filesystem::path& file) {
  constexpr size_t kMaxBytes = 4096;
  std::string text = ReadFileBounded(file, kMaxBytes).value_or("");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

std::optional<bool> ReadOnBattery(const std::filesystem::path& supplies) {
  bool battery = false;
  bool discharging = false;
  bool mains = false;
  std::error_code error;
  for (const auto& supply : std::filesystem::directory_iterator(supplies, error)) {
    const std::string type = ReadWord(supply.path() / "type");
    if (type == "Mains" || type == "USB") mains = mains || ReadWord(supply.path() / "online") == "1";
    if (type != "Battery" || ReadWord(supply.path() / "scope") == "Device") continue;
    battery = true;
    discharging = discharging || ReadWord(supply.path() / "status") == "Discharging";
  }
  if (!battery) return std::nullopt;
  return discharging && !mains;
}

}  // namespace cordon::platform
