#include "platform/api/user_notice.h"

#include "common/base/status.h"
#include "platform/windows/system/text.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {

// A message box in every session that a person is logged on to; it stays until it is read.
NoticeReport TellUsers(const UserNotice& notice, const std::string& /*program*/) {
  NoticeReport report;
  WTS_SESSION_INFOW* sessions = nullptr;
  DWORD count = 0;
  if (WTSEnumerateSessionsW(WTS_CURRENT_SERVER_HANDLE, 0, 1, &sessions, &count) == 0) {
    const absl::Status failed = LastError("cannot list the sessions");
    report.failures.emplace_back(Message(failed));
    return report;
  }
  std::wstring title = Wide(notice.title);
  std::wstring text = Wide(notice.text);
  for (DWORD at = 0; at < count; ++at) {
    if (sessions[at].State != WTSActive && sessions[at].State != WTSDisconnected) continue;
    if (sessions[at].SessionId == 0) continue;  // where services are
    DWORD answer = 0;
    if (WTSSendMessageW(WTS_CURRENT_SERVER_HANDLE, sessions[at].SessionId, title.data(),
                        static_cast<DWORD>(title.size() * sizeof(wchar_t)), text.data(),
                        static_cast<DWORD>(text.size() * sizeof(wchar_t)), MB_OK | MB_ICONWARNING, 0, &answer,
                        FALSE) != 0) {
      ++report.desktops;
    } else {
      const absl::Status failed = LastError(StrCat("session ", sessions[at].SessionId));
      report.failures.emplace_back(Message(failed));
    }
  }
  WTSFreeMemory(sessions);
  return report;
}

absl::Status ShowNoticeOnDesktop(uint32_t /*uid*/) {
  return absl::UnimplementedError("on Windows the service itself shows notices");
}

}  // namespace cordon::platform
