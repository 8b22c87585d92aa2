// The state file: what is meant is on disk before it is in the kernel (ISO-9), whoever else writes there.

#include <spdlog/spdlog.h>

#include "agent/isolation/isolation_impl.h"
#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {

absl::Status Isolation::Impl::Save(const v1::IsolationState& state) {
  if (options_.others_write && (overtaken_ || !file_.IsAsKnown())) {
    overtaken_ = true;
    return absl::AbortedError(
        StrCat(options_.state_file.string(),
               " was changed by another process, so nothing was saved or changed: it is "
               "to be read anew"));
  }
  absl::Status saved = file_.Save(state);
  if (saved.ok()) return saved;
  // The new state is there already, and would be in force at the next start: the one that stands goes back.
  if (absl::IsDataLoss(saved)) {
    const absl::Status undone = file_.Save(state_);
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
  if (!file_.IsAsKnown()) {
    if (const absl::Status saved = Save(state_); !saved.ok()) spdlog::error("isolation: {}", Message(saved));
  }
  const auto readback = parts_.filter->ReadBack(Policy());
  if (readback.ok() && readback->matches) return;
  if (const absl::Status again = PutInForce(); !again.ok()) spdlog::error("isolation: {}", Message(again));
  Tell("another process had acted on this host");
}

}  // namespace cordon::agent
