#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

#include "common/base/status.h"
#include "platform/api/user_notice.h"
#include "platform/linux/system/fd.h"
#include "platform/linux/system/spawn.h"
#include "platform/linux/user_notice/sessions.h"
#include "platform/linux/user_notice/wall_text.h"

namespace cordon::platform {
namespace {

constexpr int kTerminalPatienceMs = 500;
constexpr std::chrono::seconds kDesktopPatience(7);  // the process ends itself before

// Without waiting for a terminal that somebody has stopped.
absl::Status WriteToTerminal(const std::string& path, std::string_view text) {
  const Fd fd(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.Valid()) return absl::ErrnoToStatus(errno, path);
  if (isatty(fd.Get()) == 0) return absl::FailedPreconditionError(StrCat(path, " is no terminal"));
  while (!text.empty()) {
    const ssize_t written = write(fd.Get(), text.data(), text.size());
    if (written > 0) {
      text.remove_prefix(static_cast<size_t>(written));
      continue;
    }
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno != EAGAIN) return absl::ErrnoToStatus(errno, path);
    pollfd wait{fd.Get(), POLLOUT, 0};
    if (poll(&wait, 1, kTerminalPatienceMs) == 0)
      return absl::DeadlineExceededError(StrCat(path, " takes nothing"));
  }
  return absl::OkStatus();
}

// A notice fits in the pipe: nothing waits for the child to read it.
absl::StatusOr<pid_t> SpawnForDesktop(const std::string& program, uid_t uid, const std::string& packed) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "cannot make a pipe");
  const Fd read_end(ends[0]);
  const Fd write_end(ends[1]);
  if (write(write_end.Get(), packed.data(), packed.size()) != static_cast<ssize_t>(packed.size()))
    return absl::ErrnoToStatus(errno, "cannot write to a pipe");
  return SpawnBare({program, "show-notice", "--uid", std::to_string(uid)}, read_end.Get(), /*silent=*/false);
}

absl::Status ShowOnDesktop(const std::string& program, uid_t uid, const std::string& packed) {
  constexpr size_t kFitsInAPipe = 4096;
  constexpr std::chrono::milliseconds kLook(20);
  CORDON_ASSIGN_OR_RETURN(const pid_t pid, SpawnForDesktop(program, uid, packed.substr(0, kFitsInAPipe)));
  const auto deadline = std::chrono::steady_clock::now() + kDesktopPatience;
  int status = 0;
  while (true) {
    const pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid) break;
    if (ended < 0 && errno != EINTR)
      return absl::ErrnoToStatus(errno, "cannot wait for the desktop's process");
    if (std::chrono::steady_clock::now() > deadline) {
      kill(pid, SIGKILL);
      waitpid(pid, &status, WNOHANG);
      return absl::DeadlineExceededError(StrCat("the desktop of user ", uid, " does not answer"));
    }
    std::this_thread::sleep_for(kLook);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::UnavailableError(StrCat("the desktop of user ", uid, " did not take the message"));
}

}  // namespace

NoticeReport TellUsers(const UserNotice& notice, const std::string& program) {
  constexpr size_t kMaxSessions = 64;
  NoticeReport report;
  UserSessions sessions = ListUserSessions();
  if (sessions.terminals.size() > kMaxSessions) sessions.terminals.resize(kMaxSessions);
  if (sessions.desktops.size() > kMaxSessions) sessions.desktops.resize(kMaxSessions);
  const auto note = [&report](const absl::Status& status, int* reached) {
    if (status.ok()) ++*reached;
    if (!status.ok()) report.failures.emplace_back(Message(status));
  };
  const std::string wall = WallText(notice);
  for (const std::string& terminal : sessions.terminals)
    note(WriteToTerminal(terminal, wall), &report.terminals);
  const std::string packed = PackNotice(notice);
  for (const uid_t uid : sessions.desktops) note(ShowOnDesktop(program, uid, packed), &report.desktops);
  return report;
}

}  // namespace cordon::platform
