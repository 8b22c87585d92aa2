#pragma once

#include <absl/status/status.h>

#include <optional>
#include <string>

namespace cordon::platform {

// A text of HKEY_LOCAL_MACHINE; nothing when it is not there or no text.
std::optional<std::string> ReadMachineText(const std::wstring& key, const std::wstring& name);

// Rights of what Cordon makes in the registry (SDDL): administrators and the system change it, users and
// services read it, nothing is inherited from above.
inline constexpr const wchar_t* kMachineKeyRights =
    L"D:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)(A;CI;KR;;;BU)(A;CI;KR;;;LS)(A;CI;KR;;;NS)";

// Gives them to a key of HKEY_LOCAL_MACHINE that exists.
absl::Status ProtectMachineKey(const std::wstring& key);

}  // namespace cordon::platform
