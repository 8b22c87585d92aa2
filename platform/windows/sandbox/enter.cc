#include <algorithm>
#include <new>
#include <utility>

#include "common/base/status.h"
#include "platform/api/sandboxed_child.h"
#include "platform/windows/sandbox/channel.h"
#include "platform/windows/sandbox/spawn.h"
#include "platform/windows/sandbox/tokens.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

constexpr uint64_t kPieceBytes = uint64_t{16} << 20;

// spawn.h: the first frame brings the job. Without the handle the limit is for good.
absl::Status LimitMemory(HANDLE pipe, uint64_t bytes) {
  CORDON_ASSIGN_OR_RETURN(const Frame first, ReceiveFrame(pipe, nullptr));
  const Handle job(reinterpret_cast<HANDLE>(static_cast<uintptr_t>(first.file)));
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  limits.BasicLimitInformation.LimitFlags = kSandboxJobLimits | JOB_OBJECT_LIMIT_PROCESS_MEMORY;
  limits.BasicLimitInformation.ActiveProcessLimit = kSandboxProcesses;
  limits.ProcessMemoryLimit = bytes;
  if (SetInformationJobObject(job.Get(), JobObjectExtendedLimitInformation, &limits, sizeof(limits)) == 0)
    return LastError("cannot limit this process's memory");
  return absl::OkStatus();
}

// A Windows that does not know a policy yet goes without it.
template <typename Policy>
absl::Status Promise(PROCESS_MITIGATION_POLICY which, Policy policy, std::string_view what) {
  if (SetProcessMitigationPolicy(which, &policy, sizeof(policy)) != 0) return absl::OkStatus();
  const DWORD error = GetLastError();
  if (error == ERROR_INVALID_PARAMETER || error == ERROR_NOT_SUPPORTED) return absl::OkStatus();
  return WindowsError(error, what);
}

absl::Status PromiseNoCodeOfOthers() {
  PROCESS_MITIGATION_DYNAMIC_CODE_POLICY code{};
  code.ProhibitDynamicCode = 1;
  CORDON_RETURN_IF_ERROR(Promise(ProcessDynamicCodePolicy, code, "cannot shut out code that is made"));
  PROCESS_MITIGATION_BINARY_SIGNATURE_POLICY signature{};
  signature.MicrosoftSignedOnly = 1;
  CORDON_RETURN_IF_ERROR(Promise(ProcessSignaturePolicy, signature, "cannot shut out libraries of others"));
  PROCESS_MITIGATION_IMAGE_LOAD_POLICY image{};
  image.NoRemoteImages = 1;
  image.NoLowMandatoryLabelImages = 1;
  image.PreferSystem32Images = 1;
  CORDON_RETURN_IF_ERROR(Promise(ProcessImageLoadPolicy, image, "cannot shut out libraries from elsewhere"));
  PROCESS_MITIGATION_EXTENSION_POINT_DISABLE_POLICY extensions{};
  extensions.DisableExtensionPoints = 1;
  CORDON_RETURN_IF_ERROR(
      Promise(ProcessExtensionPointDisablePolicy, extensions, "cannot shut out extensions"));
  PROCESS_MITIGATION_FONT_DISABLE_POLICY fonts{};
  fonts.DisableNonSystemFonts = 1;
  CORDON_RETURN_IF_ERROR(Promise(ProcessFontDisablePolicy, fonts, "cannot shut out fonts"));
  PROCESS_MITIGATION_CHILD_PROCESS_POLICY children{};
  children.NoChildProcessCreation = 1;
  return Promise(ProcessChildProcessPolicy, children, "cannot give up starting processes");
}

class Channel final : public SandboxChannel {
 public:
  Channel(HANDLE pipe, uint64_t max_file_bytes) : pipe_(pipe), max_file_bytes_(max_file_bytes) {}

  std::optional<SandboxRequest> Receive() override {
    content_.reset();
    absl::StatusOr<Frame> message = ReceiveFrame(pipe_, nullptr);
    if (!message.ok()) return std::nullopt;
    const Handle file(reinterpret_cast<HANDLE>(static_cast<uintptr_t>(message->file)));
    SandboxRequest request{.message = std::move(message->bytes), .content = std::nullopt};
    if (file.Valid()) request.content = Read(file.Get());
    return request;
  }

  absl::Status Send(std::string_view message) override { return SendFrame(pipe_, message, 0, nullptr); }

 private:
  // Read and not mapped: programs cannot cut a file short that somebody has mapped.
  std::optional<std::string_view> Read(HANDLE file) {
    LARGE_INTEGER length{};
    if (GetFileSizeEx(file, &length) == 0 || length.QuadPart < 0) return std::nullopt;
    const auto size = static_cast<uint64_t>(length.QuadPart);
    if (size > max_file_bytes_) return std::nullopt;
    content_.reset(new (std::nothrow) char[size + 1]);
    if (content_ == nullptr) return std::nullopt;
    uint64_t at = 0;
    while (at < size) {
      OVERLAPPED place{};
      place.Offset = static_cast<DWORD>(at);
      place.OffsetHigh = static_cast<DWORD>(at >> 32);
      DWORD got = 0;
      const auto piece = static_cast<DWORD>(std::min(size - at, kPieceBytes));
      if (ReadFile(file, content_.get() + at, piece, &got, &place) == 0 && GetLastError() != ERROR_HANDLE_EOF)
        return std::nullopt;
      if (got == 0) break;  // it was cut short meanwhile
      at += got;
    }
    return std::string_view(content_.get(), at);
  }

  const HANDLE pipe_;  // its standard input, open until it ends
  const uint64_t max_file_bytes_;
  std::unique_ptr<char[]> content_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SandboxChannel>> EnterSandbox(const SandboxLimits& limits) {
  const HANDLE pipe = GetStdHandle(STD_INPUT_HANDLE);
  if (GetFileType(pipe) != FILE_TYPE_PIPE)
    return absl::FailedPreconditionError("not started by StartSandboxedChild: standard input is no pipe");
  CORDON_RETURN_IF_ERROR(LimitMemory(pipe, limits.memory_bytes));
  // Where even that is not its to change, low is low enough: what counts is the token that opens nothing.
  if (const absl::Status dropped = DropIntegrity(); !dropped.ok() && !absl::IsPermissionDenied(dropped))
    return dropped;
  CORDON_RETURN_IF_ERROR(PromiseNoCodeOfOthers());
  // What is left is the process's own token, which opens nothing.
  if (RevertToSelf() == 0) return LastError("cannot give up the first thread's token");
  return std::make_unique<Channel>(pipe, limits.file_bytes);
}

}  // namespace cordon::platform
