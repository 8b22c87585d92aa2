#pragma once

#include <filesystem>
#include <string_view>
#include <system_error>

namespace cordon {

// Paths of Windows have slashes here too ("C:/Users"): what the agent compares and tells is
// path::generic_string.

// True when the absolute path `path` is `prefix` or lies below it. By text: no link is followed, and "." and
// ".." mean nothing.
inline bool IsAtOrBelow(std::string_view path, std::string_view prefix) {
  if (prefix.ends_with('/')) return path.starts_with(prefix);  // "/", "C:/"
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

// The path with its links resolved, as far as it exists now; without a separator at its end.
inline std::filesystem::path TruePath(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
  if (error) real = path.lexically_normal();
  return !real.has_filename() && real.has_relative_path() ? real.parent_path() : real;
}

}  // namespace cordon
