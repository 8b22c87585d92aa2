#include "platform/windows/files/device_paths.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "platform/windows/files/name_bytes.h"

namespace cordon::platform {
namespace {

template <typename Unit>
Unit Lower(Unit unit) {
  return unit >= 'A' && unit <= 'Z' ? static_cast<Unit>(unit - 'A' + 'a') : unit;
}

bool StartsWith(std::u16string_view text, std::u16string_view start) {
  return text.size() >= start.size() &&
         std::ranges::equal(text.substr(0, start.size()), start, {}, Lower<char16_t>, Lower<char16_t>);
}

}  // namespace

DevicePaths::DevicePaths(std::vector<DevicePath> folders) : folders_(std::move(folders)) {
  for (DevicePath& folder : folders_) {
    while (folder.device.ends_with(u'\\')) folder.device.pop_back();
    while (folder.path.ends_with('/')) folder.path.pop_back();
  }
  std::erase_if(folders_, [](const DevicePath& folder) { return folder.device.empty(); });
  std::ranges::sort(folders_, std::ranges::greater(),
                    [](const DevicePath& folder) { return folder.device.size(); });
}

std::optional<std::string> DevicePaths::Find(std::u16string_view device_path) const {
  for (const DevicePath& folder : folders_) {
    const size_t length = folder.device.size();
    if (!StartsWith(device_path, folder.device)) continue;
    if (device_path.size() > length && device_path[length] != u'\\')
      continue;  // "…Volume3" is not "…Volume31"
    std::string rest = BytesOfUnits(device_path.substr(length));
    std::ranges::replace(rest, '\\', '/');
    return folder.path + rest;
  }
  return std::nullopt;
}

std::string WithoutCapitals(std::string_view path) {
  std::string same(path);
  std::ranges::transform(same, same.begin(), Lower<char>);
  return same;
}

}  // namespace cordon::platform
