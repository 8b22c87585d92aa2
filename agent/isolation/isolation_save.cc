// The state file: what is meant is on disk before it is in the kernel (ISO-9), whoever else writes there.

#include <spdlog/spdlog.h>

#include "agent/isolation/isolation_impl.h"
#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {

absl::Status Isolation::Impl::Save(const v1::IsolationState& state) {
  absl::Status saved;
  if (options_.others_write) {
    if (!overtaken_) saved = file_.SaveOverKnown(state);
    overtaken_ = overtaken_ || absl::IsFailedPrecondition(saved);
    if (overtaken_) {
      return absl::AbortedError(
          StrCat(options_.state_file.string(),
                 " was changed by another process, so nothing was saved or changed: it is "
                 "to be read anew"));
    }
  } else {
    saved = file_.Save(state);
  }
  if (saved.ok()) return saved;
  // The new state may be there already, and would be in force at the next start: the one that stands goes
  // back.
  if (absl::IsDataLoss(saved)) {
    const absl::Status undone = LeftAlone() ? file_.Remove() : file_.Save(state_);
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

// On disk, what state_ says. Where no state was found and rules may stand, none is made: the next start would
// take it for an order to open.
absl::Status Isolation::Impl::PutBack() {
  return LeftAlone() ? file_.Remove() : Save(state_);
}

// Of a state that could not be saved and is meant all the same.
void Isolation::Impl::SaveIfUnsaved() {
  if (!unsaved_) return;
  const absl::Status saved = Save(state_);
  unsaved_ = !saved.ok();
  if (unsaved_) spdlog::error("isolation: {}", Message(saved));
}

// A disk that could not read the state at the start, and can now.
void Isolation::Impl::ReadIfUnread() {
  if (!unread_) return;
  const absl::Status read = file_.Load().status();
  if (!read.ok() && !absl::IsDataLoss(read)) return;
  spdlog::warn("isolation: the saved state can be read again");
  StartAnew();
}

// As a new process would.
void Isolation::Impl::StartAnew() {
  ++generation_;
  unread_ = false;
  kept_ = false;
  state_problem_.clear();
  if (const absl::Status restored = Restore(); !restored.ok())
    spdlog::error("isolation: {}", Message(restored));
}

void Isolation::Impl::TakeOver() {
  if (unread_) return ReadIfUnread();  // what is on disk may be good
  // What another one has written meanwhile, by a newer order or to close the host, is not undone.
  const bool known = file_.IsAsKnown();
  if (const auto there = file_.Load(); !known && there.ok() && there->sequence() > state_.sequence())
    return StartAnew();
  if (kept_) return;
  if (!known) {
    if (const absl::Status saved = Save(state_); !saved.ok()) spdlog::error("isolation: {}", Message(saved));
  }
  const auto readback = parts_.filter->ReadBack(Policy());
  if (readback.ok() && readback->matches) return;
  if (const absl::Status again = PutInForce(); !again.ok()) spdlog::error("isolation: {}", Message(again));
  Tell("another process had acted on this host");
}

}  // namespace cordon::agent
