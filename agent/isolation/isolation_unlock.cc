// Unlocked by phone (AUT-5): a level below the ordered one, for a time. What was ordered stays in the state
// and comes back by itself.

#include <spdlog/spdlog.h>

#include "agent/isolation/isolation_impl.h"
#include "agent/isolation/policy.h"
#include "agent/isolation/state.h"
#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {
namespace {

constexpr std::string_view kUnlockEnded = "unlock ended";

}  // namespace

absl::Status Isolation::Impl::MayUnlock(v1::Level level) const {
  const v1::Level stands = LevelWithoutUnlock(state_);
  if (stands <= v1::LEVEL_OBSERVE)
    return absl::FailedPreconditionError("this host is not isolated: there is nothing to unlock");
  if (level >= stands) {
    return absl::FailedPreconditionError(StrCat("this host is at ", LevelName(FilterLevel(stands)),
                                                ", which is not above ", LevelName(FilterLevel(level)),
                                                ": an unlock can only lower the level"));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Receipt> Isolation::Impl::Unlock(v1::Unlock unlock) {
  CORDON_RETURN_IF_ERROR(MayUnlock(unlock.level()));
  v1::IsolationState next = state_;
  next.clear_controllers();
  StartUnlock(&next, std::move(unlock), options_.boot_id, *parts_.clock);
  return Take(std::move(next), ordered_, "unlocked by phone");
}

void Isolation::Impl::EndUnlock() {
  v1::IsolationState next = state_;
  next.clear_controllers();
  next.clear_unlock();
  // Closing does not wait for the disk. When the kernel refuses, the unlock stays at its end and the next
  // Tick tries again.
  if (const auto taken = Take(std::move(next), ordered_, std::string(kUnlockEnded), Disk::kLater);
      !taken.ok()) {
    spdlog::error("isolation: the unlock has ended and the level cannot be changed: {}",
                  Message(taken.status()));
    return;
  }
  ProveChannel();
}

// `cause`: of the change that ended it.
void Isolation::Impl::TellUnlockEnded(const v1::Unlock& unlock, const std::string& cause) {
  v1::Event event;
  v1::UnlockAttempt& attempt = *event.mutable_unlock_attempt();
  attempt.set_result(v1::UnlockAttempt::RESULT_ENDED);
  attempt.set_operator_id(unlock.operator_id());
  attempt.set_level(unlock.level());
  attempt.set_length_nanos(unlock.length_nanos());
  attempt.set_detail(cause == kUnlockEnded ? "its time is over"
                     : cause == "order"    ? StrCat("order ", state_.order_id(), " took its place")
                                           : cause);
  parts_.events->Emit(v1::EVENT_CLASS_CONTROL, parts_.clock->WallNanos(), std::move(event));
}

// For the receipt; empty when the host is not unlocked. No time of day: no clock that can be trusted tells
// it.
std::string Isolation::Impl::UnlockInWords() const {
  if (!state_.has_unlock()) return "";
  return StrCat("unlocked by phone to ", LevelName(FilterLevel(state_.unlock().level())), " for another ",
                FormatDuration(UnlockRemaining(state_)), " by operator ",
                Printable(state_.unlock().operator_id()), "; ordered is ",
                LevelName(FilterLevel(state_.has_action() ? state_.action().level() : state_.level())));
}

}  // namespace cordon::agent
