#include <shlobj.h>
#include <windows.h>

#include <stdexcept>

#include "tests/support/native.h"

namespace cordon::testing {
namespace {

constexpr DWORD kPatienceMillis = 30'000;
constexpr DWORD kMostPathUnits = 32'768;

}  // namespace

bool OnWindows() {
  return true;
}
bool UnderWine() {
  return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != nullptr;
}
bool IsAdministrator() {
  return IsUserAnAdmin() != FALSE;
}

// Beside the test: the folder of the build has another name here than where it was built.
std::filesystem::path Errand() {
  std::wstring own(kMostPathUnits, L'\0');
  own.resize(GetModuleFileNameW(nullptr, own.data(), kMostPathUnits));
  return std::filesystem::path(own).parent_path() / "errand.exe";
}

struct ChildProgram::State {
  HANDLE process = nullptr;
  DWORD pid = 0;
};

ChildProgram::ChildProgram(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                           const std::filesystem::path& working_dir)
    : state_(std::make_unique<State>()) {
  std::wstring line = L"\"" + program.native() + L"\"";
  for (const std::string& each : arguments) line += L" \"" + std::filesystem::path(each).native() + L"\"";
  STARTUPINFOW startup{};
  startup.cb = sizeof(startup);
  PROCESS_INFORMATION made{};
  // Without a console: one of its own would have a host, which under wine outlives a child that is killed.
  if (CreateProcessW(program.c_str(), line.data(), nullptr, nullptr, FALSE, DETACHED_PROCESS, nullptr,
                     working_dir.empty() ? nullptr : working_dir.c_str(), &startup, &made) == 0)
    throw std::runtime_error("cannot start " + program.string() + ": error " +
                             std::to_string(GetLastError()));
  CloseHandle(made.hThread);
  *state_ = {.process = made.hProcess, .pid = made.dwProcessId};
}

ChildProgram::~ChildProgram() {
  Kill();
  CloseHandle(state_->process);
}

uint32_t ChildProgram::Pid() const {
  return state_->pid;
}

int ChildProgram::Wait() {
  DWORD code = 0;
  if (WaitForSingleObject(state_->process, kPatienceMillis) != WAIT_OBJECT_0 ||
      GetExitCodeProcess(state_->process, &code) == 0)
    return -1;
  return static_cast<int>(code);
}

void ChildProgram::Kill() {
  TerminateProcess(state_->process, 1);
  WaitForSingleObject(state_->process, kPatienceMillis);
}

}  // namespace cordon::testing
