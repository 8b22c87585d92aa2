#include "platform/windows/registry/registry_path.h"

#include <cstdint>

#include "common/base/strings.h"
#include "platform/windows/files/name_bytes.h"

namespace cordon::platform {
namespace {

constexpr std::string_view kDefault = "(Default)";

std::string Escaped(std::u16string_view name) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string escaped;
  for (const char c : BytesOfUnits(name)) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < ' ' || c == '/' || c == '\\' || c == '%') {
      escaped += {'%', kDigits[byte >> 4], kDigits[byte & 0xf]};
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

}  // namespace

std::string RegistryKeyPath(std::string_view hive, std::u16string_view key) {
  std::string path = StrCat("registry:", hive, "/");
  while (!key.empty()) {
    const size_t end = key.find(u'\\');
    path = RegistrySubkeyPath(path, key.substr(0, end));
    key = end == std::u16string_view::npos ? std::u16string_view() : key.substr(end + 1);
  }
  return path;
}

std::string RegistrySubkeyPath(std::string_view key_path, std::u16string_view name) {
  return StrCat(key_path, Escaped(name), "/");
}

std::string RegistryValuePath(std::string_view key_path, std::u16string_view name) {
  if (name.empty()) return StrCat(key_path, kDefault);
  const std::string escaped = Escaped(name);
  return StrCat(key_path, escaped == kDefault ? "%28Default)" : escaped);  // somebody's own
}

}  // namespace cordon::platform
