#include "platform/windows/system/registry.h"

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

}  // namespace cordon::platform
