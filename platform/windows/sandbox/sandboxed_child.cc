#include "platform/api/sandboxed_child.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "common/base/status.h"
#include "platform/windows/sandbox/channel.h"
#include "platform/windows/sandbox/spawn.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLook(100);
constexpr std::chrono::seconds kSendPatience(10);
constexpr DWORD kEndPatienceMillis = 500;
constexpr DWORD kFirstException = 0xC0000000;  // NTSTATUS: what ends a process by itself says how by one

std::string HowItEnded(DWORD code) {
  if (code < kFirstException) return StrCat("ended with status ", code);
  char digits[16] = {};
  std::snprintf(digits, sizeof(digits), "0x%08lx", code);
  return StrCat("ended by exception ", digits);
}

class Child final : public SandboxedChild {
 public:
  explicit Child(SpawnedSandbox spawned) : spawned_(std::move(spawned)) {}
  ~Child() override { End(); }

  absl::Status Send(std::string_view message, const OpenFile* file) override {
    uint64_t given = 0;
    if (file != nullptr) {
      absl::StatusOr<uint64_t> handle = Give(*file);
      if (!handle.ok()) return Told(handle.status());
      given = *handle;
    }
    const auto deadline = Clock::now() + kSendPatience;
    return Told(SendFrame(spawned_.pipe.Get(), message, given, [&](HANDLE done) -> absl::Status {
      if (WaitForSingleObject(done, static_cast<DWORD>(kLook.count())) == WAIT_OBJECT_0 ||
          Clock::now() < deadline)
        return absl::OkStatus();
      return absl::DeadlineExceededError("the other side takes nothing");
    }));
  }

  absl::StatusOr<std::string> Receive(std::chrono::milliseconds timeout,
                                      const std::function<bool()>& keep_going) override {
    const auto deadline = Clock::now() + timeout;
    absl::StatusOr<Frame> message = ReceiveFrame(
        spawned_.pipe.Get(), [&](HANDLE done) { return WaitForBytes(done, deadline, keep_going); });
    if (!message.ok()) return Told(message.status());
    return std::move(message->bytes);
  }

  uint32_t Pid() const override { return spawned_.pid; }

 private:
  // An answer that lies there is taken also when keep_going held the caller back beyond the deadline.
  static absl::Status WaitForBytes(HANDLE done, Clock::time_point deadline,
                                   const std::function<bool()>& keep_going) {
    if (!keep_going()) return absl::CancelledError("nobody wants the answer any more");
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    const auto look = std::clamp(left, std::chrono::milliseconds(0), kLook);
    if (WaitForSingleObject(done, static_cast<DWORD>(look.count())) == WAIT_OBJECT_0) return absl::OkStatus();
    if (left.count() <= 0) return absl::DeadlineExceededError("no answer came in time");
    return absl::OkStatus();
  }

  // For reading alone, whatever this process opened it for.
  absl::StatusOr<uint64_t> Give(const OpenFile& file) const {
    HANDLE theirs = nullptr;
    if (DuplicateHandle(GetCurrentProcess(), reinterpret_cast<HANDLE>(file.Get()), spawned_.process.Get(),
                        &theirs, FILE_READ_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE, FALSE, 0) != 0)
      return static_cast<uint64_t>(reinterpret_cast<uintptr_t>(theirs));
    const absl::Status failed = LastError("cannot hand a file to the child");
    if (WaitForSingleObject(spawned_.process.Get(), 0) == WAIT_OBJECT_0)
      return absl::UnavailableError("the other side is gone");
    return failed;
  }

  // When the other side is gone: how it ended.
  absl::Status Told(const absl::Status& status) {
    if (!absl::IsUnavailable(status)) return status;
    if (ended_.empty()) {
      WaitForSingleObject(spawned_.process.Get(), kEndPatienceMillis);
      DWORD code = 0;
      if (GetExitCodeProcess(spawned_.process.Get(), &code) == 0) {
        ended_ = "ended in an unknown way";
      } else if (code == STILL_ACTIVE) {
        End();  // it has closed its end and lives on
        ended_ = "closed its pipe";
      } else {
        ended_ = HowItEnded(code);
      }
    }
    return absl::UnavailableError(ended_);
  }

  void End() const {
    TerminateJobObject(spawned_.job.Get(), 1);
    WaitForSingleObject(spawned_.process.Get(), kEndPatienceMillis);
  }

  const SpawnedSandbox spawned_;
  std::string ended_;  // how; empty: it runs, as far as is known
};

}  // namespace

absl::StatusOr<std::unique_ptr<SandboxedChild>> StartSandboxedChild(const SandboxCommand& command) {
  CORDON_ASSIGN_OR_RETURN(SpawnedSandbox spawned, SpawnSandbox(command));
  return std::make_unique<Child>(std::move(spawned));
}

}  // namespace cordon::platform
