// The service manager's side of the agent. Its handlers get no context of ours, nor does the console's, so
// what they need stands here, guarded by a mutex.

#include "platform/api/service.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/status.h"
#include "platform/api/system.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/job.h"
#include "platform/windows/system/privileges.h"
#include "platform/windows/system/service_control.h"

namespace cordon::platform {
namespace {

constexpr DWORD kStartHintMillis = 30'000;
constexpr DWORD kStopHintMillis = 30'000;

struct Desk {
  std::mutex mutex;
  HANDLE stop = nullptr;  // an event: somebody asks the process to end
  SERVICE_STATUS_HANDLE service = nullptr;
  const std::function<int()>* body = nullptr;
  int result = 0;
};

Desk& TheDesk() {
  static Desk desk;
  return desk;
}

void Report(DWORD state, DWORD exit_code = NO_ERROR) {
  Desk& desk = TheDesk();
  const std::lock_guard lock(desk.mutex);
  if (desk.service == nullptr) return;
  SERVICE_STATUS status{};
  status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
  status.dwCurrentState = state;
  status.dwControlsAccepted = state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_PRESHUTDOWN : 0;
  status.dwWin32ExitCode = exit_code == NO_ERROR ? NO_ERROR : ERROR_SERVICE_SPECIFIC_ERROR;
  status.dwServiceSpecificExitCode = exit_code;
  status.dwWaitHint = state == SERVICE_START_PENDING  ? kStartHintMillis
                      : state == SERVICE_STOP_PENDING ? kStopHintMillis
                                                      : 0;
  SetServiceStatus(desk.service, &status);
}

bool AskToStop() {
  Desk& desk = TheDesk();
  const std::lock_guard lock(desk.mutex);
  return desk.stop != nullptr && SetEvent(desk.stop) != 0;
}

DWORD WINAPI OnControl(DWORD control, DWORD /*event*/, void* /*data*/, void* /*context*/) {
  if (control == SERVICE_CONTROL_INTERROGATE) return NO_ERROR;
  if (control != SERVICE_CONTROL_STOP && control != SERVICE_CONTROL_PRESHUTDOWN)
    return ERROR_CALL_NOT_IMPLEMENTED;
  Report(SERVICE_STOP_PENDING);
  AskToStop();
  return NO_ERROR;
}

BOOL WINAPI OnConsole(DWORD /*event*/) {
  return AskToStop() ? TRUE : FALSE;
}

void Warn(const std::string& line) {
  if (const auto log = MakeSystemLog()) log->Write(SystemLog::Severity::kWarning, line);
}

void WINAPI ServiceMain(DWORD /*count*/, wchar_t** /*arguments*/) {
  Desk& desk = TheDesk();
  SERVICE_STATUS_HANDLE const service = RegisterServiceCtrlHandlerExW(kServiceName, OnControl, nullptr);
  {
    const std::lock_guard lock(desk.mutex);
    desk.service = service;
  }
  Report(SERVICE_START_PENDING);
  if (const absl::Status limited = LimitThisProcess(); !limited.ok())
    Warn(StrCat("the agent runs without limits: ", Message(limited)));
  if (const std::string missing = EnablePrivileges(); !missing.empty())
    Warn(StrCat("not all rights of the agent are on: ", missing));
  std::string notes;  // an older system's; the installation has told them
  if (const absl::Status renewed = RenewServiceSetup(&notes); !renewed.ok())
    Warn(StrCat("the service's setup cannot be renewed: ", Message(renewed)));
  desk.result = (*desk.body)();
  // A service that ends with an error code is started again by its recovery actions.
  Report(SERVICE_STOPPED, static_cast<DWORD>(desk.result));
}

// Waits for the stop event on a thread of its own.
class StopWatcher {
 public:
  explicit StopWatcher(std::function<void()> stop)
      : stop_(CreateEventW(nullptr, TRUE, FALSE, nullptr)),
        end_(CreateEventW(nullptr, TRUE, FALSE, nullptr)) {
    SetStop(stop_.Get());
    SetConsoleCtrlHandler(OnConsole, TRUE);
    thread_ = std::thread([this, on_stop = std::move(stop)] {
      const HANDLE events[] = {stop_.Get(), end_.Get()};
      if (WaitForMultipleObjects(2, events, FALSE, INFINITE) == WAIT_OBJECT_0) on_stop();
    });
  }
  StopWatcher(const StopWatcher&) = delete;
  StopWatcher& operator=(const StopWatcher&) = delete;
  ~StopWatcher() {
    SetConsoleCtrlHandler(OnConsole, FALSE);
    SetStop(nullptr);
    SetEvent(end_.Get());
    thread_.join();
  }

 private:
  static void SetStop(HANDLE event) {
    Desk& desk = TheDesk();
    const std::lock_guard lock(desk.mutex);
    desk.stop = event;
  }

  Handle stop_;
  Handle end_;
  std::thread thread_;
};

}  // namespace

int RunUnderServiceManager(const std::function<int()>& body) {
  TheDesk().body = &body;
  wchar_t name[] = L"CordonAgent";
  const SERVICE_TABLE_ENTRYW table[] = {{name, ServiceMain}, {nullptr, nullptr}};
  if (StartServiceCtrlDispatcherW(table) != 0) return TheDesk().result;
  return body();  // started by a person: ERROR_FAILED_SERVICE_CONTROLLER_CONNECT
}

void NotifyServiceReady() {
  Report(SERVICE_RUNNING);
}
void NotifyServiceStopping() {
  Report(SERVICE_STOP_PENDING);
}
// The service manager of Windows has no line for it; the log has.
void NotifyServiceStatus(const std::string& /*line*/) {}

std::unique_ptr<void, void (*)(void*)> OnStopRequest(std::function<void()> stop) {
  return {new StopWatcher(std::move(stop)), [](void* watcher) { delete static_cast<StopWatcher*>(watcher); }};
}

}  // namespace cordon::platform
