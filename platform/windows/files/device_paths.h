#pragma once

// Paths as the kernel has them to paths as the agent tells them. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::platform {

// The same folder twice: "\Device\HarddiskVolume3\Users" is "C:/Users".
struct DevicePath {
  std::u16string device;
  std::string path;  // as NameBytes
};

class DevicePaths {
 public:
  // Separators at the ends do not count.
  explicit DevicePaths(std::vector<DevicePath> folders = {});

  // As NameBytes; nothing for what is in none of the folders. Where folders lie in one another, the inner one
  // names it. Capitals of the folders do not count, as far as they are ASCII.
  std::optional<std::string> Find(std::u16string_view device_path) const;

  size_t Size() const { return folders_.size(); }

 private:
  std::vector<DevicePath> folders_;  // the longest first
};

// A path of which capitals do not count: for comparing, not for telling. Only those of ASCII: a name that
// differs by others is another one to whoever compares, and its file is then not found.
std::string WithoutCapitals(std::string_view path);

}  // namespace cordon::platform
