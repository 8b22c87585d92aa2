#pragma once

// Entries of the registry as paths: "registry:HKLM/SOFTWARE/…/Run/" is a key, with a slash at its end,
// "registry:HKLM/SOFTWARE/…/Run/Updater" a value. Pure.

#include <string>
#include <string_view>

namespace cordon::platform {

// `hive`: "HKLM", "HKU/S-1-5-…". `key` with backslashes, as the system has it; without any at its ends.
std::string RegistryKeyPath(std::string_view hive, std::u16string_view key);

// Of names, which may have anything in them: slashes, backslashes, "%" and control characters become "%2F",
// "%5C", "%25", "%0A" and so on.
std::string RegistrySubkeyPath(std::string_view key_path, std::u16string_view name);
std::string RegistryValuePath(std::string_view key_path, std::u16string_view name);  // "": "(Default)"

}  // namespace cordon::platform
