#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <thread>

#include "common/base/status.h"
#include "platform/api/process_source.h"
#include "platform/linux/system/fd.h"

// clone() by its other name in the C library, under which sanitizers leave it alone: for them clone() is a
// fork, whose child has a memory of its own.
extern "C" int __clone(int (*)(void*), void*, int, void*, ...);

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

// What the child has of the two pipes, by number: its descriptors are its own, its memory is not.
struct ChildEnds {
  int go = -1;
  int go_write = -1;  // closed, else it would wait for itself
  int told = -1;
};

struct Candidate {
  const char* path;
  std::array<const char*, 4> argv;
};
constexpr Candidate kCandidates[] = {
    {"/bin/true", {"cordon-canary", nullptr}},
    {"/usr/bin/true", {"cordon-canary", nullptr}},
    {"/bin/sh", {"cordon-canary", "-c", ":", nullptr}},
};

// In the child, which runs in the agent's memory until it starts the program: bare system calls and nothing
// else, not even what a sanitizer adds. Says who it is, waits for a word, takes another group, says whether
// it got it, and starts the program. What it returns is its exit code.
__attribute__((no_sanitize("address", "thread"))) int BeTheProgram(void* argument) {
  const ChildEnds ends = *static_cast<const ChildEnds*>(argument);
  syscall(SYS_close, ends.go_write);
  const auto pid = static_cast<pid_t>(syscall(SYS_getpid));
  if (syscall(SYS_write, ends.told, &pid, sizeof(pid)) != sizeof(pid)) return kNothingStarted;
  char word = 0;
  if (syscall(SYS_read, ends.go, &word, 1) != 1) return kNothingStarted;
  // Who changes its rights makes its memory one that is not dumped and not traced, and this memory is the
  // agent's.
  const long dumpable = syscall(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
  word = syscall(SYS_setresgid, gid_t(-1), kNogroup, gid_t(-1)) == 0 ? 'y' : 'n';
  if (dumpable == 1) syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
  if (syscall(SYS_write, ends.told, &word, 1) != 1) return kNothingStarted;
  const char* const no_environment[] = {nullptr};
  for (const Candidate& candidate : kCandidates) {
    syscall(SYS_execve, candidate.path, candidate.argv.data(), no_environment);
  }
  return kNothingStarted;
}

// The kernel holds the calling thread until the child has started the program or is gone, as vfork does. A
// fork would make the kernel copy what the agent has mapped, and then each page that any of its threads
// writes to: on slow machines that was a fifth of all that an idle agent took.
pid_t MakeChild(ChildEnds ends) {
  alignas(16) std::array<char, size_t{64} * 1024> stack;
  return __clone(BeTheProgram, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, &ends);
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

// Takes hold of the child, which has said who it is, and lets it go on to its end. False when it started
// nothing.
bool Accompany(Pipe* go, const Pipe& told, TinyRun* run) {
  const auto pid = static_cast<pid_t>(run->pid);
  run->was_traced = ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0;
  char word = 'g';
  const bool may_go = write(go->write.Get(), &word, 1) == 1;
  go->write = Fd();
  run->changed_privileges =
      may_go && read(told.read.Get(), &word, 1) == 1 && word == 'y' && getegid() != kNogroup;
  return WaitForEnd(pid) != kNothingStarted;
}

}  // namespace

absl::StatusOr<TinyRun> RunTinyProgram() {
  Pipe go;
  Pipe told;
  if (!go.Open() || !told.Open()) return absl::ErrnoToStatus(errno, "cannot make a pipe for a canary");
  const ChildEnds ends{.go = go.read.Get(), .go_write = go.write.Get(), .told = told.write.Get()};
  pid_t made = -1;
  int error = 0;
  std::thread maker;
  try {
    maker = std::thread([&made, &error, &told, ends] {
      made = MakeChild(ends);
      if (made < 0) error = errno;
      told.write = Fd();  // a child that is gone before it said a word is not waited for
    });
  } catch (const std::system_error& failed) {
    return absl::UnavailableError(StrCat("cannot start a thread for a canary: ", failed.what()));
  }
  pid_t pid = 0;
  TinyRun run;
  bool started = false;
  const bool is_there = read(told.read.Get(), &pid, sizeof(pid)) == sizeof(pid);
  if (is_there) {
    run.pid = static_cast<uint32_t>(pid);
    started = Accompany(&go, told, &run);
  }
  go.write = Fd();
  maker.join();
  if (made < 0) return absl::ErrnoToStatus(error, "cannot make a process for a canary");
  if (!is_there) WaitForEnd(made);
  if (!started) return absl::UnavailableError("cannot start /bin/true, /usr/bin/true or /bin/sh");
  return run;
}

uint32_t OwnPid() {
  return static_cast<uint32_t>(getpid());
}

}  // namespace cordon::platform
