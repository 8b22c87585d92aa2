#pragma once

#include <string_view>

namespace cordon {

// Paths of Windows have slashes here too ("C:/Users"): what the agent compares and tells is
// path::generic_string.

// True when the absolute path `path` is `prefix` or lies below it. By text: no link is followed, and "." and
// ".." mean nothing.
inline bool IsAtOrBelow(std::string_view path, std::string_view prefix) {
  if (prefix.ends_with('/')) return path.starts_with(prefix);  // "/", "C:/"
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

}  // namespace cordon
