// The state file: what is meant is on disk before it is in the kernel (ISO-9), whoever else writes there.

#include <spdlog/spdlog.h>

#include "agent/isolation/isolation_impl.h"
#include "agent/isolation/state.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "platform/api/files.h"

namespace cordon::agent {

// Empty for a file that is not there. One that cannot be read differs from one that can.
std::string Isolation::Impl::Fingerprint(const absl::StatusOr<std::string>& bytes) {
  if (absl::IsNotFound(bytes.status())) return "";
  return bytes.ok() ? Sha256(*bytes) : bytes.status().ToString();
}

bool Isolation::Impl::FileIsKnown() const {
  return Fingerprint(platform::ReadFileBounded(options_.state_file, kMaxStateBytes)) == file_known_;
}

absl::Status Isolation::Impl::Write(const v1::IsolationState& state) {
  const std::string bytes = EncodeState(state);
  absl::Status written =
      platform::WriteFileDurably(options_.state_file, bytes, platform::FileAccess::kOwnerOnly);
  if (written.ok() || absl::IsDataLoss(written)) file_known_ = Sha256(bytes);
  return written;
}

absl::Status Isolation::Impl::Save(const v1::IsolationState& state) {
  if (options_.others_write && (overtaken_ || !FileIsKnown())) {
    overtaken_ = true;
    return absl::AbortedError(
        StrCat(options_.state_file.string(),
               " was changed by another process, so nothing was saved or changed: it is "
               "to be read anew"));
  }
  absl::Status saved = Write(state);
  if (saved.ok()) return saved;
  // The new state has its name already, and would be in force at the next start: the one that stands goes
  // back there.
  if (absl::IsDataLoss(saved)) {
    const absl::Status undone = Write(state_);
    if (!undone.ok() && !absl::IsDataLoss(undone)) {
      return absl::AbortedError(StrCat("the isolation state may not outlive a power cut (", Message(saved),
                                       "), and the one before it cannot be written back (", Message(undone),
                                       "): nothing was changed, and the next start of the agent takes it"));
    }
  }
  // Whatever the system calls it, it is no fault of the order: FAILED, and sent again.
  return absl::AbortedError(
      StrCat("the isolation state cannot be saved, so nothing was changed: ", Message(saved)));
}

void Isolation::Impl::TakeOver() {
  if (kept_) return;
  if (!FileIsKnown()) {
    if (const absl::Status saved = Save(state_); !saved.ok()) spdlog::error("isolation: {}", Message(saved));
  }
  const auto readback = parts_.filter->ReadBack(Policy());
  if (readback.ok() && readback->matches) return;
  if (const absl::Status again = PutInForce(); !again.ok()) spdlog::error("isolation: {}", Message(again));
  Tell("another process had acted on this host");
}

}  // namespace cordon::agent
