#pragma once

#include <absl/status/status.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace cordon::platform {

// UTF-8 to UTF-16 and back. What is not valid becomes U+FFFD: names are for telling, not for opening again.
std::wstring Wide(std::string_view text);
std::string Narrow(std::wstring_view text);
// A path for people. path::string throws at names that are not valid.
std::string Shown(const std::filesystem::path& path);

// "cannot open C:\x: access is denied (5)", with the code that fits: NOT_FOUND, PERMISSION_DENIED,
// ALREADY_EXISTS, UNIMPLEMENTED, RESOURCE_EXHAUSTED or UNAVAILABLE.
absl::Status WindowsError(unsigned long error, std::string_view what);
// Of GetLastError(): `what` must be made before the call that failed, or by nothing that sets it anew.
absl::Status LastError(std::string_view what);

// With the prefix that takes Windows' limit of 260 characters away. `path` must be absolute.
std::wstring LongPath(const std::filesystem::path& path);

}  // namespace cordon::platform
