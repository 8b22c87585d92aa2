#include "platform/windows/system/privileges.h"

#include "common/base/status.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

absl::Status Enable(HANDLE token, const wchar_t* name) {
  const std::string what = StrCat("cannot turn on ", Narrow(name));
  TOKEN_PRIVILEGES one{};
  one.PrivilegeCount = 1;
  one.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
  if (LookupPrivilegeValueW(nullptr, name, &one.Privileges[0].Luid) == 0) return LastError(what);
  const BOOL asked = AdjustTokenPrivileges(token, FALSE, &one, 0, nullptr, nullptr);
  // It succeeds, too, for what the token does not have.
  return asked != 0 && GetLastError() == ERROR_SUCCESS ? absl::OkStatus() : LastError(what);
}

}  // namespace

std::string EnablePrivileges() {
  HANDLE raw = nullptr;
  if (OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &raw) == 0)
    return std::string(Message(LastError("cannot open the agent's own token")));
  const Handle token(raw);
  std::string problems;
  for (const wchar_t* name = kPrivileges; *name != L'\0'; name += std::wcslen(name) + 1) {
    const absl::Status enabled = Enable(token.Get(), name);
    if (!enabled.ok()) StrAppend(&problems, problems.empty() ? "" : "; ", Message(enabled));
  }
  return problems;
}

}  // namespace cordon::platform
