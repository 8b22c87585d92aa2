#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "common/base/status.h"
#include "platform/api/process_source.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

constexpr int kNothingStarted = 127;  // exit code, as a shell's
constexpr gid_t kNogroup = 65'534;

struct Pipe {
  Fd read;
  Fd write;
  bool Open() {
    std::array<int, 2> ends{-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read = Fd(ends[0]);
    write = Fd(ends[1]);
    return true;
  }
};

// In the child of a process with many threads: system calls and nothing else. Waits for a word, takes another
// group for this thread by the bare system call, says whether it got it, and starts the program.
[[noreturn]] void BeTheProgram(const Pipe& go, const Pipe& changed) {
  struct Candidate {
    const char* path;
    std::array<const char*, 4> argv;
  };
  static constexpr std::array<Candidate, 3> kCandidates{{
      {"/bin/true", {"cordon-canary", nullptr}},
      {"/usr/bin/true", {"cordon-canary", nullptr}},
      {"/bin/sh", {"cordon-canary", "-c", ":", nullptr}},
  }};
  char word = 0;
  if (read(go.read.Get(), &word, 1) != 1) _exit(kNothingStarted);
  word = syscall(SYS_setresgid, gid_t(-1), kNogroup, gid_t(-1)) == 0 ? 'y' : 'n';
  if (write(changed.write.Get(), &word, 1) != 1) _exit(kNothingStarted);
  std::array<char*, 1> no_environment{nullptr};
  for (const Candidate& candidate : kCandidates) {
    execve(candidate.path, const_cast<char* const*>(candidate.argv.data()), no_environment.data());
  }
  _exit(kNothingStarted);
}

// The exit code. A traced child stops for a signal; it gets it and goes on.
int WaitForEnd(pid_t pid) {
  for (;;) {
    int status = 0;
    if (waitpid(pid, &status, 0) < 0) {
      if (errno == EINTR) continue;
      return kNothingStarted;
    }
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
    if (WIFSTOPPED(status)) ptrace(PTRACE_CONT, pid, nullptr, WSTOPSIG(status));
  }
}

}  // namespace

absl::StatusOr<TinyRun> RunTinyProgram() {
  Pipe go;
  Pipe changed;
  if (!go.Open() || !changed.Open()) return absl::ErrnoToStatus(errno, "cannot make a pipe for a canary");
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "cannot make a process for a canary");
  if (pid == 0) {
    go.write = Fd();  // else it would wait for itself
    BeTheProgram(go, changed);
  }
  TinyRun run{.pid = static_cast<uint32_t>(pid)};
  run.was_traced = ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0;
  changed.write = Fd();
  char word = 'g';
  const bool told = write(go.write.Get(), &word, 1) == 1;
  go.write = Fd();
  run.changed_privileges =
      told && read(changed.read.Get(), &word, 1) == 1 && word == 'y' && getegid() != kNogroup;
  if (WaitForEnd(pid) == kNothingStarted) {
    return absl::UnavailableError("cannot start /bin/true, /usr/bin/true or /bin/sh");
  }
  return run;
}

uint32_t OwnPid() {
  return static_cast<uint32_t>(getpid());
}

}  // namespace cordon::platform
