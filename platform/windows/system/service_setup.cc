#include <array>

#include "common/base/status.h"
#include "platform/api/dns_client.h"
#include "platform/api/service.h"
#include "platform/windows/system/agent_folder.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/privileges.h"
#include "platform/windows/system/registry.h"
#include "platform/windows/system/security.h"
#include "platform/windows/system/service_control.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

constexpr int kLooks = 300;
constexpr int kStopLooks = 900;  // proofs that are under way end by their own time-outs
constexpr DWORD kLookMillis = 100;

constexpr const wchar_t* kServicesKey = L"SYSTEM\\CurrentControlSet\\Services\\";

class ScHandle {
 public:
  explicit ScHandle(SC_HANDLE handle) : handle_(handle) {}
  ScHandle(const ScHandle&) = delete;
  ScHandle& operator=(const ScHandle&) = delete;
  ~ScHandle() {
    if (handle_ != nullptr) CloseServiceHandle(handle_);
  }
  bool Valid() const { return handle_ != nullptr; }
  SC_HANDLE Get() const { return handle_; }

 private:
  SC_HANDLE handle_;
};

// Administrators and the system may do everything; others may look. Nobody but these stops the agent.
constexpr const wchar_t* kServiceRights =
    L"D:(A;;GA;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)";

// A wish that older systems, and wine, may refuse.
template <typename Info>
void Ask(SC_HANDLE service, DWORD level, Info* info, std::string_view what, std::string* notes) {
  if (ChangeServiceConfig2W(service, level, info) != 0) return;
  StrAppend(notes, notes->empty() ? "" : "; ", Message(LastError(what)));
}

// ISO-4: the filters know the agent by this SID. Only a system that has no such thing may go without.
absl::Status AskForSid(SC_HANDLE service, std::string* notes) {
  SERVICE_SID_INFO sid{.dwServiceSidType = SERVICE_SID_TYPE_UNRESTRICTED};
  if (ChangeServiceConfig2W(service, SERVICE_CONFIG_SERVICE_SID_INFO, &sid) != 0) return absl::OkStatus();
  const DWORD error = GetLastError();
  const absl::Status refused = WindowsError(error, "service SID");
  if (error != ERROR_INVALID_LEVEL) return refused;
  StrAppend(notes, notes->empty() ? "" : "; ", Message(refused));
  return absl::OkStatus();
}

absl::Status SetManners(SC_HANDLE service, std::string* notes) {
  wchar_t description[] =
      L"Contains a cyber incident on this host: watches, and isolates it on signed orders.";
  SERVICE_DESCRIPTIONW text{.lpDescription = description};
  Ask(service, SERVICE_CONFIG_DESCRIPTION, &text, "description", notes);
  std::array<SC_ACTION, 3> restarts = {SC_ACTION{SC_ACTION_RESTART, 1'000},
                                       SC_ACTION{SC_ACTION_RESTART, 5'000},
                                       SC_ACTION{SC_ACTION_RESTART, 60'000}};
  SERVICE_FAILURE_ACTIONSW recovery{};
  recovery.dwResetPeriod = 86'400;
  recovery.cActions = restarts.size();
  recovery.lpsaActions = restarts.data();
  Ask(service, SERVICE_CONFIG_FAILURE_ACTIONS, &recovery, "recovery actions", notes);
  SERVICE_FAILURE_ACTIONS_FLAG on_errors{.fFailureActionsOnNonCrashFailures = TRUE};
  Ask(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &on_errors, "recovery after an error", notes);
  SERVICE_DELAYED_AUTO_START_INFO delayed{.fDelayedAutostart = TRUE};
  Ask(service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed, "delayed start", notes);
  std::array<wchar_t, std::size(kPrivileges)> list{};
  std::copy(std::begin(kPrivileges), std::end(kPrivileges), list.begin());
  SERVICE_REQUIRED_PRIVILEGES_INFOW privileges{.pmszRequiredPrivileges = list.data()};
  Ask(service, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, &privileges, "required privileges", notes);
  return AskForSid(service, notes);
}

absl::Status SetRights(SC_HANDLE service) {
  CORDON_ASSIGN_OR_RETURN(const auto rights, SecurityDescriptor::Parse(kServiceRights));
  if (SetServiceObjectSecurity(service, DACL_SECURITY_INFORMATION, rights->Get()) == 0)
    return LastError("cannot set the rights of the service");
  return absl::OkStatus();
}

// So that the Event Viewer finds the texts: %1 of the system's own message file.
absl::Status MakeEventSource() {
  HKEY key = nullptr;
  const std::wstring path = std::wstring(kServicesKey) + L"EventLog\\Application\\" + kServiceName;
  LSTATUS result =
      RegCreateKeyExW(HKEY_LOCAL_MACHINE, path.c_str(), 0, nullptr, 0, KEY_WRITE, nullptr, &key, nullptr);
  if (result != ERROR_SUCCESS)
    return WindowsError(static_cast<DWORD>(result), "cannot make the Event Log source");
  constexpr wchar_t kFile[] = L"%SystemRoot%\\System32\\EventCreate.exe";
  const DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
  RegSetValueExW(key, L"EventMessageFile", 0, REG_EXPAND_SZ, reinterpret_cast<const BYTE*>(kFile),
                 sizeof(kFile));
  RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD, reinterpret_cast<const BYTE*>(&types), sizeof(types));
  RegCloseKey(key);
  return ProtectMachineKey(path);
}

}  // namespace

absl::Status InstallService(const ServiceSetup& setup, std::string* notes) {
  const ScHandle manager(OpenSCManagerW(nullptr, nullptr, SC_MANAGER_CREATE_SERVICE));
  if (!manager.Valid()) return LastError("cannot reach the service manager");
  // Quoted: an unquoted path with blanks would start whatever stands at its first word.
  const std::wstring command = L"\"" + Wide(setup.executable) + L"\" run";
  constexpr DWORD kAccess = SERVICE_CHANGE_CONFIG | SERVICE_START | SERVICE_QUERY_CONFIG | WRITE_DAC;
  ScHandle made(CreateServiceW(manager.Get(), kServiceName, L"Cordon Agent", kAccess,
                               SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START, SERVICE_ERROR_NORMAL,
                               command.c_str(), nullptr, nullptr, L"BFE\0", nullptr, nullptr));
  const DWORD error = made.Valid() ? NO_ERROR : GetLastError();
  if (!made.Valid() && error != ERROR_SERVICE_EXISTS) return WindowsError(error, "cannot make the service");
  const ScHandle existing(made.Valid() ? nullptr : OpenServiceW(manager.Get(), kServiceName, kAccess));
  if (!made.Valid() && !existing.Valid()) return LastError("cannot open the service");
  SC_HANDLE const service = made.Valid() ? made.Get() : existing.Get();
  if (!made.Valid() && ChangeServiceConfigW(service, SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START,
                                            SERVICE_ERROR_NORMAL, command.c_str(), nullptr, nullptr, nullptr,
                                            nullptr, nullptr, L"Cordon Agent") == 0)
    return LastError("cannot change the service");
  CORDON_RETURN_IF_ERROR(SetManners(service, notes));
  CORDON_RETURN_IF_ERROR(SetRights(service));
  // What it runs, and as whom, stands there.
  CORDON_RETURN_IF_ERROR(ProtectMachineKey(std::wstring(kServicesKey) + kServiceName));
  CORDON_RETURN_IF_ERROR(MakeAgentFolder());
  return MakeEventSource();
}

absl::Status RenewServiceSetup(std::string* notes) {
  const ScHandle manager(OpenSCManagerW(nullptr, nullptr, SC_MANAGER_CONNECT));
  if (!manager.Valid()) return LastError("cannot reach the service manager");
  const ScHandle service(OpenServiceW(manager.Get(), kServiceName, SERVICE_CHANGE_CONFIG | SERVICE_START));
  if (!service.Valid()) return LastError("cannot open the service");
  return SetManners(service.Get(), notes);
}

absl::Status StartInstalledService() {
  const ScHandle manager(OpenSCManagerW(nullptr, nullptr, SC_MANAGER_CONNECT));
  if (!manager.Valid()) return LastError("cannot reach the service manager");
  const ScHandle service(OpenServiceW(manager.Get(), kServiceName, SERVICE_START | SERVICE_QUERY_STATUS));
  if (!service.Valid()) return LastError("cannot open the service");
  SERVICE_STATUS status{};
  // One that is still stopping counts as running for StartService. An installer may have just asked it to.
  for (int look = 0; look < kStopLooks && QueryServiceStatus(service.Get(), &status) != 0 &&
                     status.dwCurrentState == SERVICE_STOP_PENDING;
       ++look)
    Sleep(kLookMillis);
  if (StartServiceW(service.Get(), 0, nullptr) == 0 && GetLastError() != ERROR_SERVICE_ALREADY_RUNNING)
    return LastError("cannot start the service");
  for (int look = 0; look < kLooks && QueryServiceStatus(service.Get(), &status) != 0; ++look) {
    if (status.dwCurrentState == SERVICE_RUNNING) return absl::OkStatus();
    if (status.dwCurrentState == SERVICE_STOPPED) break;
    Sleep(kLookMillis);
  }
  return absl::UnavailableError(
      StrCat("the service does not run; its exit code is ", status.dwServiceSpecificExitCode));
}

absl::Status StopInstalledService() {
  const ScHandle manager(OpenSCManagerW(nullptr, nullptr, SC_MANAGER_CONNECT));
  if (!manager.Valid()) return LastError("cannot reach the service manager");
  const ScHandle service(OpenServiceW(manager.Get(), kServiceName, SERVICE_STOP | SERVICE_QUERY_STATUS));
  if (!service.Valid()) return LastError("cannot open the service");
  SERVICE_STATUS_PROCESS now{};
  DWORD bytes = 0;
  auto* const raw = reinterpret_cast<BYTE*>(&now);
  if (QueryServiceStatusEx(service.Get(), SC_STATUS_PROCESS_INFO, raw, sizeof(now), &bytes) == 0)
    return LastError("cannot ask for the state of the service");
  if (now.dwCurrentState == SERVICE_STOPPED) return absl::OkStatus();
  // The end of its process is what counts: its file is free then, and the manager may be late to notice.
  const Handle process(OpenProcess(SYNCHRONIZE, FALSE, now.dwProcessId));
  SERVICE_STATUS status{};
  ControlService(service.Get(), SERVICE_CONTROL_STOP, &status);
  for (int look = 0; look < kStopLooks && QueryServiceStatus(service.Get(), &status) != 0; ++look) {
    const bool ended = process.Valid() && WaitForSingleObject(process.Get(), kLookMillis) == WAIT_OBJECT_0;
    if (ended || status.dwCurrentState == SERVICE_STOPPED) return absl::OkStatus();
    if (!process.Valid()) Sleep(kLookMillis);
  }
  return absl::DeadlineExceededError("the service does not stop");
}

absl::Status UninstallService() {
  CORDON_RETURN_IF_ERROR(StopInstalledService());
  const ScHandle manager(OpenSCManagerW(nullptr, nullptr, SC_MANAGER_CONNECT));
  if (!manager.Valid()) return LastError("cannot reach the service manager");
  const ScHandle service(OpenServiceW(manager.Get(), kServiceName, DELETE));
  if (!service.Valid()) return LastError("cannot open the service");
  if (DeleteService(service.Get()) == 0) return LastError("cannot remove the service");
  return MakeDnsClient()->TurnBack();  // nobody would any more
}

}  // namespace cordon::platform
