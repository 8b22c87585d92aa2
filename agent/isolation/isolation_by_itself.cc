// What the host takes by itself, as a signed policy allows it: a level over what was ordered, for a time.
// The order stays in the state below it, with its lease, its fallback and an unlock by phone.

#include <spdlog/spdlog.h>

#include "agent/isolation/isolation_impl.h"
#include "agent/isolation/policy.h"
#include "agent/isolation/state.h"
#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {

using platform::FilterPolicy;

absl::StatusOr<v1::Receipt> Isolation::Impl::TakeByItself(const v1::SelfIsolation& allowed,
                                                          const std::string& cause) {
  LookAtKept();
  if (kept_) {
    return absl::FailedPreconditionError(
        "it is not known what was ordered, and what stands in the kernel is kept until somebody orders");
  }
  // Where an order stands as high, it lies below that one, and holds when the order's lease ends.
  const v1::Level own_level = state_.by_itself().allowed().level();
  if (own_level >= allowed.level() && LevelInForce(state_) >= allowed.level()) {
    return absl::AlreadyExistsError(
        StrCat("the host has isolated itself to ", LevelName(FilterLevel(own_level)), " already"));
  }
  CORDON_ASSIGN_OR_RETURN(FilterPolicy own, Possible(PolicyOf(allowed)));
  v1::IsolationState next = state_;
  next.clear_controllers();
  StartByItself(&next, allowed, options_.boot_id, *parts_.clock);
  CORDON_ASSIGN_OR_RETURN(v1::Receipt receipt, Take(std::move(next), ordered_, std::move(own), cause));
  ProveChannel();
  return receipt;
}

void Isolation::Impl::EndByItself() {
  v1::IsolationState next = state_;
  next.clear_controllers();
  next.clear_by_itself();
  DropIdleUnlock(&next);
  // When it cannot be done now, it stays at its end and the next Tick tries again.
  if (const auto taken = Take(std::move(next), ordered_, "isolation by itself ended"); !taken.ok()) {
    spdlog::error("isolation: what the host took by itself has ended and the level cannot be changed: {}",
                  Message(taken.status()));
    return;
  }
  ProveChannel();
}

// The receipt shows what decides, and says what else there is.
void Isolation::Impl::TellByItself(v1::Receipt* receipt) const {
  if (!state_.has_by_itself()) return;
  const v1::SelfIsolation& allowed = state_.by_itself().allowed();
  receipt->add_reasons(
      StrCat("isolated by itself to ", LevelName(FilterLevel(allowed.level())), " for another ",
             FormatDuration(ByItselfRemaining(state_)), ", as the policy allows; ordered is ",
             LevelName(FilterLevel(state_.has_action() ? state_.action().level() : state_.level()))));
  if (!ByItselfDecides(state_)) return;
  receipt->set_profile_name(allowed.profile().name());
  receipt->set_lease_remaining_nanos(ByItselfRemaining(state_));
}

}  // namespace cordon::agent
