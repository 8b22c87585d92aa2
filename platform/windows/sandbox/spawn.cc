#include "platform/windows/sandbox/spawn.h"

#include <array>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/base/uuid.h"
#include "platform/windows/sandbox/channel.h"
#include "platform/windows/sandbox/tokens.h"
#include "platform/windows/system/security.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

constexpr DWORD kPipeBytes = 64 * 1024;
constexpr DWORD kLongestPath = 32 * 1024;

struct Pipe {
  Handle ours;
  Handle theirs;  // inheritable, and not overlapped
};

// By a name that nobody guesses, and with one instance: if somebody else were faster, ours would not open.
absl::StatusOr<Pipe> MakePipe() {
  const std::wstring name = Wide(StrCat(R"(\\.\pipe\cordon-sandbox-)", NewUuid()));
  CORDON_ASSIGN_OR_RETURN(const auto access, SecurityDescriptor::Parse(kPrivate));
  Pipe pipe;
  pipe.ours = Handle(CreateNamedPipeW(
      name.c_str(), PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
      PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1, kPipeBytes, kPipeBytes,
      0, access->Attributes()));
  if (!pipe.ours.Valid()) return LastError("cannot make a pipe");
  SECURITY_ATTRIBUTES inheritable{
      .nLength = sizeof(SECURITY_ATTRIBUTES), .lpSecurityDescriptor = nullptr, .bInheritHandle = TRUE};
  pipe.theirs = Handle(
      CreateFileW(name.c_str(), GENERIC_READ | GENERIC_WRITE, 0, &inheritable, OPEN_EXISTING, 0, nullptr));
  if (!pipe.theirs.Valid()) return LastError("cannot open the other end of a pipe");
  return pipe;
}

absl::StatusOr<Handle> MakeJob() {
  Handle job(CreateJobObjectW(nullptr, nullptr));
  if (!job.Valid()) return LastError("cannot make a job object");
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  limits.BasicLimitInformation.LimitFlags = kSandboxJobLimits;
  limits.BasicLimitInformation.ActiveProcessLimit = kSandboxProcesses;
  if (SetInformationJobObject(job.Get(), JobObjectExtendedLimitInformation, &limits, sizeof(limits)) == 0)
    return LastError("cannot set the limits of a job object");
  return job;
}

// Windows refuses this one for a process that is in another job already.
absl::Status ShutTheScreen(HANDLE job) {
  JOBOBJECT_BASIC_UI_RESTRICTIONS all{.UIRestrictionsClass = JOB_OBJECT_UILIMIT_ALL};
  if (SetInformationJobObject(job, JobObjectBasicUIRestrictions, &all, sizeof(all)) == 0)
    return LastError("cannot shut the screen to a job object");
  return absl::OkStatus();
}

// The arguments are this program's own words, so what would need Windows' rules of quoting is refused.
absl::StatusOr<std::wstring> CommandLine(const std::wstring& program, const SandboxCommand& command) {
  std::wstring line = L"\"" + program + L"\"";
  for (const std::string& argument : command.arguments) {
    if (argument.empty() || argument.find_first_of("\" \t\\") != std::string::npos)
      return absl::InvalidArgumentError(StrCat("not an argument for a sandboxed child: ", argument));
    line += L" " + Wide(argument);
  }
  return line;
}

absl::StatusOr<std::wstring> ThisProgram() {
  std::wstring path(kLongestPath, L'\0');
  const DWORD length = GetModuleFileNameW(nullptr, path.data(), kLongestPath);
  if (length == 0 || length == kLongestPath) return LastError("cannot find this program's file");
  path.resize(length);
  return path;
}

// The one handle that a child inherits, and no other.
class InheritedHandle {
 public:
  absl::Status Set(HANDLE handle) {
    handle_ = handle;
    SIZE_T size = 0;
    InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
    memory_.resize(size);
    auto* const list = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory_.data());
    if (InitializeProcThreadAttributeList(list, 1, 0, &size) == 0) return LastError("cannot list handles");
    list_ = list;
    if (UpdateProcThreadAttribute(list_, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, &handle_, sizeof(handle_),
                                  nullptr, nullptr) == 0)
      return LastError("cannot list handles");
    return absl::OkStatus();
  }
  ~InheritedHandle() {
    if (list_ != nullptr) DeleteProcThreadAttributeList(list_);
  }
  LPPROC_THREAD_ATTRIBUTE_LIST Get() const { return list_; }

 private:
  HANDLE handle_ = nullptr;
  std::vector<char> memory_;
  LPPROC_THREAD_ATTRIBUTE_LIST list_ = nullptr;
};

// In place of the agent's environment and folder, which say more than a child needs.
struct Surroundings {
  std::wstring environment;
  std::wstring folder;
};

absl::StatusOr<Surroundings> Bare() {
  std::array<wchar_t, MAX_PATH + 1> windows{};
  std::array<wchar_t, MAX_PATH + 1> system{};
  if (GetSystemWindowsDirectoryW(windows.data(), MAX_PATH) == 0 ||
      GetSystemDirectoryW(system.data(), MAX_PATH) == 0)
    return LastError("cannot find the system's folder");
  Surroundings bare{.environment = std::wstring(L"SystemRoot=") + windows.data(), .folder = system.data()};
  bare.environment.push_back(L'\0');  // the string's own end is that of the list
  return bare;
}

absl::StatusOr<PROCESS_INFORMATION> CreateSuspended(HANDLE token, const SandboxCommand& command,
                                                    HANDLE pipe) {
  std::wstring program = command.program.wstring();
  if (program.empty()) {
    CORDON_ASSIGN_OR_RETURN(program, ThisProgram());
  }
  CORDON_ASSIGN_OR_RETURN(std::wstring line, CommandLine(program, command));
  CORDON_ASSIGN_OR_RETURN(Surroundings bare, Bare());
  InheritedHandle inherited;
  CORDON_RETURN_IF_ERROR(inherited.Set(pipe));
  STARTUPINFOEXW startup{};
  startup.StartupInfo.cb = sizeof(startup);
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  startup.StartupInfo.hStdInput = pipe;
  startup.lpAttributeList = inherited.Get();
  const std::string what = StrCat("cannot start ", Narrow(program));
  PROCESS_INFORMATION made{};
  const auto create = [&](DWORD flags) {
    return CreateProcessAsUserW(token, program.c_str(), line.data(), nullptr, nullptr, TRUE,
                                flags | CREATE_SUSPENDED | DETACHED_PROCESS | EXTENDED_STARTUPINFO_PRESENT |
                                    CREATE_UNICODE_ENVIRONMENT,
                                bare.environment.data(), bare.folder.c_str(), &startup.StartupInfo,
                                &made) != 0;
  };
  // Not in the agent's own job, whose memory is for the agent, if that lets it go.
  if (create(CREATE_BREAKAWAY_FROM_JOB)) return made;
  if (GetLastError() == ERROR_ACCESS_DENIED && create(0)) return made;
  return LastError(what);
}

absl::Status Confine(const PROCESS_INFORMATION& made, HANDLE job, HANDLE start) {
  BOOL in_a_job = FALSE;
  if (IsProcessInJob(made.hProcess, nullptr, &in_a_job) == 0)
    return LastError("cannot ask for a process's job");
  if (in_a_job == FALSE) CORDON_RETURN_IF_ERROR(ShutTheScreen(job));
  if (AssignProcessToJobObject(job, made.hProcess) == 0)
    return LastError("cannot put the child under its limits");
  HANDLE thread = made.hThread;
  if (SetThreadToken(&thread, start) == 0) return LastError("cannot give the child's thread its token");
  if (ResumeThread(made.hThread) == static_cast<DWORD>(-1)) return LastError("cannot let the child run");
  return absl::OkStatus();
}

absl::Status HandTheJob(const SpawnedSandbox& spawned) {
  HANDLE theirs = nullptr;
  if (DuplicateHandle(GetCurrentProcess(), spawned.job.Get(), spawned.process.Get(), &theirs,
                      JOB_OBJECT_SET_ATTRIBUTES, FALSE, 0) == 0)
    return LastError("cannot hand its job to the child");
  return SendFrame(spawned.pipe.Get(), {}, reinterpret_cast<uintptr_t>(theirs), [](HANDLE done) {
    WaitForSingleObject(done, INFINITE);  // it fits into the pipe
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<SpawnedSandbox> SpawnSandbox(const SandboxCommand& command) {
  CORDON_ASSIGN_OR_RETURN(const SandboxTokens tokens, MakeSandboxTokens());
  CORDON_ASSIGN_OR_RETURN(Pipe pipe, MakePipe());
  CORDON_ASSIGN_OR_RETURN(Handle job, MakeJob());
  CORDON_ASSIGN_OR_RETURN(const PROCESS_INFORMATION made,
                          CreateSuspended(tokens.process.Get(), command, pipe.theirs.Get()));
  const Handle thread(made.hThread);
  SpawnedSandbox spawned{.pipe = std::move(pipe.ours),
                         .job = std::move(job),
                         .process = Handle(made.hProcess),
                         .pid = made.dwProcessId};
  absl::Status ready = HandTheJob(spawned);
  if (ready.ok()) ready = Confine(made, spawned.job.Get(), tokens.start.Get());
  if (!ready.ok()) {
    TerminateProcess(spawned.process.Get(), 1);
    return ready;
  }
  return spawned;
}

}  // namespace cordon::platform
