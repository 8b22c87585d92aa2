#include "platform/api/file_names.h"

#include <algorithm>

#include "platform/windows/files/name_bytes.h"

namespace cordon::platform {

std::string NameBytes(const std::filesystem::path& path) {
  std::u16string units(path.native().begin(), path.native().end());
  std::ranges::replace(units, u'\\', u'/');
  return BytesOfUnits(units);
}

std::filesystem::path PathOfBytes(std::string_view bytes) {
  const std::u16string units = UnitsOfBytes(bytes);
  return std::wstring(units.begin(), units.end());
}

}  // namespace cordon::platform
