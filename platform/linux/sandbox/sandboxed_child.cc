#include "platform/api/sandboxed_child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "common/base/status.h"
#include "platform/linux/sandbox/channel.h"
#include "platform/linux/system/fd.h"
#include "platform/linux/system/spawn.h"

namespace cordon::platform {
namespace {

constexpr std::chrono::milliseconds kLook(100);
constexpr int kSendPatienceSeconds = 10;
constexpr auto kEndPatience = std::chrono::milliseconds(500);

class Child final : public SandboxedChild {
 public:
  Child(pid_t pid, Fd socket) : pid_(pid), socket_(std::move(socket)) {}
  ~Child() override {
    if (ended_.empty()) {
      kill(pid_, SIGKILL);
      Reap(0);
    }
  }

  absl::Status Send(std::string_view message, const OpenFile* file) override {
    return Told(SendMessage(socket_.Get(), message, file == nullptr ? -1 : static_cast<int>(file->Get())));
  }

  absl::StatusOr<std::string> Receive(std::chrono::milliseconds timeout,
                                      const std::function<bool()>& keep_going) override {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    absl::StatusOr<ChannelMessage> message =
        ReceiveMessage(socket_.Get(), [&] { return WaitForBytes(deadline, keep_going); });
    if (!message.ok()) return Told(message.status());
    return std::move(message->bytes);
  }

  uint32_t Pid() const override { return static_cast<uint32_t>(pid_); }

 private:
  // An answer that lies there is taken also when keep_going held the caller back beyond the deadline.
  absl::Status WaitForBytes(std::chrono::steady_clock::time_point deadline,
                            const std::function<bool()>& keep_going) const {
    while (true) {
      if (!keep_going()) return absl::CancelledError("nobody wants the answer any more");
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      const auto look = std::clamp(left, std::chrono::milliseconds(0), kLook);
      pollfd wait{.fd = socket_.Get(), .events = POLLIN, .revents = 0};
      if (poll(&wait, 1, static_cast<int>(look.count())) > 0) return absl::OkStatus();
      if (left.count() <= 0) return absl::DeadlineExceededError("no answer came in time");
    }
  }

  // When the other side is gone: how it ended.
  absl::Status Told(const absl::Status& status) {
    if (!absl::IsUnavailable(status)) return status;
    const auto deadline = std::chrono::steady_clock::now() + kEndPatience;
    while (ended_.empty() && std::chrono::steady_clock::now() < deadline) {
      Reap(WNOHANG);
      if (ended_.empty()) usleep(1000);
    }
    if (ended_.empty()) kill(pid_, SIGKILL);  // it has closed its end and lives on
    if (ended_.empty()) Reap(0);
    return absl::UnavailableError(ended_);
  }

  void Reap(int flags) {
    int status = 0;
    pid_t got = -1;
    do got = waitpid(pid_, &status, flags);
    while (got < 0 && errno == EINTR);
    if (got == 0) return;
    if (got < 0) {
      ended_ = "ended in an unknown way";
    } else if (WIFSIGNALED(status)) {
      ended_ = StrCat("ended by signal ", WTERMSIG(status));
    } else {
      ended_ = StrCat("ended with status ", WEXITSTATUS(status));
    }
  }

  const pid_t pid_;
  const Fd socket_;
  std::string ended_;  // how; empty: it runs, as far as is known
};

// The socket is its standard input. The rest of what it inherits it closes itself, first thing.
absl::StatusOr<pid_t> Spawn(const SandboxCommand& command, int socket) {
  std::vector<std::string> words = {command.program.empty() ? "/proc/self/exe" : command.program.string()};
  words.insert(words.end(), command.arguments.begin(), command.arguments.end());
  return SpawnBare(std::move(words), socket, /*silent=*/true);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SandboxedChild>> StartSandboxedChild(const SandboxCommand& command) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a socket pair");
  }
  Fd ours(ends[0]);
  const Fd theirs(ends[1]);
  const timeval patience{.tv_sec = kSendPatienceSeconds, .tv_usec = 0};
  if (setsockopt(ours.Get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0) {
    return absl::ErrnoToStatus(errno, "cannot set up a socket pair");
  }
  CORDON_ASSIGN_OR_RETURN(const pid_t pid, Spawn(command, theirs.Get()));
  return std::make_unique<Child>(pid, std::move(ours));
}

}  // namespace cordon::platform
