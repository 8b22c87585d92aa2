#pragma once

// Debian's absl is built with its own string_view type, which does not mix with std::string_view; so the
// project's code joins text with these and with fmt, and uses absl for errors only.

#include <fmt/format.h>

#include <iterator>
#include <string>

namespace cordon {

template <typename... Args>
std::string StrCat(const Args&... args) {
  std::string out;
  (fmt::format_to(std::back_inserter(out), "{}", args), ...);
  return out;
}

template <typename... Args>
void StrAppend(std::string* out, const Args&... args) {
  (fmt::format_to(std::back_inserter(*out), "{}", args), ...);
}

}  // namespace cordon
