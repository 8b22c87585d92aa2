#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/base/sanitizer.h"
#include "common/base/status.h"
#include "platform/api/sandboxed_child.h"
#include "platform/linux/sandbox/channel.h"
#include "platform/linux/sandbox/system_calls.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

constexpr uid_t kNobody = 65534;
constexpr rlim_t kOpenFiles = 8;

#if defined(CORDON_ADDRESS_SANITIZER) || defined(CORDON_THREAD_SANITIZER)
constexpr bool kSanitized = true;  // their shadow memory and their own system calls do not fit in
#else
constexpr bool kSanitized = false;
#endif

absl::Status Require(bool ok, std::string_view what) {
  return ok ? absl::OkStatus() : absl::ErrnoToStatus(errno, std::string(what));
}

absl::Status Limit(decltype(RLIMIT_AS) resource, rlim_t value, std::string_view what) {
  const rlimit limit{.rlim_cur = value, .rlim_max = value};
  return Require(setrlimit(resource, &limit) == 0, what);
}

// When memory runs out, this is what is to end. Raising the score needs no right.
void BeFirstToEnd() {
  const Fd score(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  constexpr std::string_view kFirst = "1000";
  if (score.Valid())
    (void)!write(score.Get(), kFirst.data(), kFirst.size());  // a system without it is none of ours
}

// What a parent that is no root could not give it, it need not give up.
absl::Status GiveUpRights() {
  CORDON_RETURN_IF_ERROR(
      Require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "cannot give up new privileges"));
  if (geteuid() == 0) {
    CORDON_RETURN_IF_ERROR(Require(setgroups(0, nullptr) == 0, "cannot leave the groups"));
    CORDON_RETURN_IF_ERROR(Require(setresgid(kNobody, kNobody, kNobody) == 0, "cannot become nobody"));
    CORDON_RETURN_IF_ERROR(Require(setresuid(kNobody, kNobody, kNobody) == 0, "cannot become nobody"));
  }
  // Whoever else runs as nobody cannot look into it.
  return Require(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "cannot shut the memory to others");
}

absl::Status TakeLimits(const SandboxLimits& limits) {
  CORDON_RETURN_IF_ERROR(Limit(RLIMIT_CORE, 0, "cannot limit core files"));
  CORDON_RETURN_IF_ERROR(Limit(RLIMIT_FSIZE, 0, "cannot limit writing"));
  CORDON_RETURN_IF_ERROR(Limit(RLIMIT_NPROC, 0, "cannot limit processes"));
  CORDON_RETURN_IF_ERROR(Limit(RLIMIT_NOFILE, kOpenFiles, "cannot limit open files"));
  if (kSanitized) return absl::OkStatus();
  return Limit(RLIMIT_AS, limits.memory_bytes, "cannot limit memory");
}

// The parent's other files; its log goes to standard error.
absl::Status CloseTheRest() {
  return Require(syscall(SYS_close_range, 3U, ~0U, 0U) == 0, "cannot close files");
}

class Mapping {
 public:
  Mapping() = default;
  Mapping(void* at, size_t size) : at_(at), size_(size) {}
  Mapping(Mapping&& other) noexcept : at_(std::exchange(other.at_, nullptr)), size_(other.size_) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(at_, other.at_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Mapping() {
    if (at_ != nullptr) munmap(at_, size_);
  }
  std::string_view Content() const { return {static_cast<const char*>(at_), size_}; }

 private:
  void* at_ = nullptr;
  size_t size_ = 0;
};

class Channel final : public SandboxChannel {
 public:
  explicit Channel(uint64_t max_file_bytes) : max_file_bytes_(max_file_bytes) {}

  std::optional<SandboxRequest> Receive() override {
    mapping_ = Mapping();
    absl::StatusOr<ChannelMessage> message = ReceiveMessage(STDIN_FILENO, [] { return absl::OkStatus(); });
    if (!message.ok()) return std::nullopt;
    SandboxRequest request{.message = std::move(message->bytes), .content = std::nullopt};
    if (message->file.has_value()) request.content = Map(message->file->Get());
    return request;
  }

  absl::Status Send(std::string_view message) override { return SendMessage(STDIN_FILENO, message, -1); }

 private:
  std::optional<std::string_view> Map(int file) {
    struct stat info{};
    if (fstat(file, &info) != 0 || info.st_size < 0) return std::nullopt;
    const auto size = static_cast<size_t>(info.st_size);
    if (size > max_file_bytes_) return std::nullopt;
    if (size == 0) return std::string_view();
    void* const at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (at == MAP_FAILED) return std::nullopt;
    mapping_ = Mapping(at, size);
    return mapping_.Content();
  }

  const uint64_t max_file_bytes_;
  Mapping mapping_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SandboxChannel>> EnterSandbox(const SandboxLimits& limits) {
  CORDON_RETURN_IF_ERROR(CloseTheRest());
  BeFirstToEnd();
  CORDON_RETURN_IF_ERROR(GiveUpRights());
  CORDON_RETURN_IF_ERROR(TakeLimits(limits));
  if (!kSanitized) CORDON_RETURN_IF_ERROR(AllowOnlyComputing());
  return std::make_unique<Channel>(limits.file_bytes);
}

}  // namespace cordon::platform
