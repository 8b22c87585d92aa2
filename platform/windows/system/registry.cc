#include "platform/windows/system/registry.h"

#include "common/base/status.h"
#include "platform/windows/system/security.h"
#include "platform/windows/system/text.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {

std::optional<std::string> ReadMachineText(const std::wstring& key, const std::wstring& name) {
  DWORD bytes = 0;
  constexpr DWORD kText = RRF_RT_REG_SZ;
  if (RegGetValueW(HKEY_LOCAL_MACHINE, key.c_str(), name.c_str(), kText, nullptr, nullptr, &bytes) !=
      ERROR_SUCCESS)
    return std::nullopt;
  std::wstring text(bytes / sizeof(wchar_t), L'\0');
  if (RegGetValueW(HKEY_LOCAL_MACHINE, key.c_str(), name.c_str(), kText, nullptr, text.data(), &bytes) !=
      ERROR_SUCCESS)
    return std::nullopt;
  text.resize(text.find(L'\0') == std::wstring::npos ? text.size() : text.find(L'\0'));
  return Narrow(text);
}

absl::Status ProtectMachineKey(const std::wstring& key) {
  CORDON_ASSIGN_OR_RETURN(const auto rights, SecurityDescriptor::Parse(kMachineKeyRights));
  HKEY open = nullptr;
  LSTATUS result = RegOpenKeyExW(HKEY_LOCAL_MACHINE, key.c_str(), 0, WRITE_DAC, &open);
  if (result == ERROR_SUCCESS) {
    result = RegSetKeySecurity(open, DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
                               rights->Get());
    RegCloseKey(open);
  }
  if (result == ERROR_SUCCESS) return absl::OkStatus();
  return WindowsError(static_cast<DWORD>(result),
                      StrCat("cannot set the rights of the registry key HKLM\\", Narrow(key)));
}

}  // namespace cordon::platform
