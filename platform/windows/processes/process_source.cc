#include "platform/api/process_source.h"

#include "common/base/strings.h"
#include "platform/shared/best_source.h"
#include "platform/windows/processes/etw_source.h"
#include "platform/windows/processes/toolhelp_source.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

class BestProcessSource final : public BestSource<ProcessSource, RawProcessEvent, ProcessSourceInfo> {
 public:
  using BestSource::BestSource;
  int64_t StartTimeAt(int64_t boottime_nanos) const override {
    const ProcessSource* const chosen = Chosen();
    return chosen == nullptr ? boottime_nanos : chosen->StartTimeAt(boottime_nanos);
  }
};

}  // namespace

std::unique_ptr<ProcessSource> MakeProcessSource() {
  return std::make_unique<BestProcessSource>(MakeEtwSource(), MakeToolhelpSource());
}

std::unique_ptr<ProcessSource> MakeProcessSource(std::string_view name) {
  if (name == "best") return MakeProcessSource();
  if (name == "etw") return MakeEtwSource();
  if (name == "toolhelp") return MakeToolhelpSource();
  return nullptr;
}

uint32_t OwnPid() {
  return GetCurrentProcessId();
}

// `ping` to this host with two requests: the polling source does not see what lives for less than its
// interval.
absl::StatusOr<TinyRun> RunTinyProgram() {
  wchar_t system[MAX_PATH + 1] = {};
  if (GetSystemDirectoryW(system, MAX_PATH) == 0) return LastError("cannot find the system's folder");
  const std::wstring program = std::wstring(system) + L"\\ping.exe";
  std::wstring line = L"\"" + program + L"\" -n 2 127.0.0.1";
  STARTUPINFOW startup{};
  startup.cb = sizeof(startup);
  PROCESS_INFORMATION made{};
  if (CreateProcessW(program.c_str(), line.data(), nullptr, nullptr, FALSE, CREATE_NO_WINDOW, nullptr,
                     nullptr, &startup, &made) == 0)
    return LastError(StrCat("cannot start ", Narrow(program)));
  const Handle process(made.hProcess);
  const Handle thread(made.hThread);
  constexpr DWORD kPatienceMillis = 10'000;
  if (WaitForSingleObject(process.Get(), kPatienceMillis) != WAIT_OBJECT_0) {
    TerminateProcess(process.Get(), 1);
    return absl::UnavailableError("the tiny program does not end");
  }
  return TinyRun{.pid = made.dwProcessId};
}

}  // namespace cordon::platform
