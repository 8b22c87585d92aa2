#pragma once

#include <optional>
#include <string>

namespace cordon::platform {

// A text of HKEY_LOCAL_MACHINE; nothing when it is not there or no text.
std::optional<std::string> ReadMachineText(const std::wstring& key, const std::wstring& name);

}  // namespace cordon::platform
