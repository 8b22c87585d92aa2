#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/isolation/isolation_impl.h"
#include "agent/isolation/policy.h"
#include "agent/isolation/recovery.h"
#include "agent/isolation/state.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

constexpr int64_t kSaveLeaseEvery = 60 * kNanosPerSecond;
// Oftener: a host that is rebooted again and again must not stay unlocked.
constexpr int64_t kSaveUnlockEvery = 10 * kNanosPerSecond;

}  // namespace

using platform::FilterPolicy;
using platform::Level;

void Isolation::Impl::OnLinksChanged(std::vector<std::string> moved_away) {
  const bool news = std::exchange(moved_told_, moved_away) != moved_away;
  proof_.SetMovedAway(std::move(moved_away));
  if (kept_ || Policy().level == Level::kObserve) return;
  // Nobody is named for an interface that came or went; the rules just do not cover it yet.
  const auto outcome = RepairDrift({{.boot_nanos = parts_.clock->BootNanos()}}, "network interfaces changed");
  if (news && !outcome.drifted) Tell("network interfaces changed");
  count_leaks_anew_ = true;
}

void Isolation::Impl::OnRulesChanged(std::vector<platform::RulesetChange> changes) {
  LookAtKept();
  if (kept_ || Policy().level == Level::kObserve)
    return;  // nothing is enforced, or what stands is kept (state_problem_)
  RepairDrift(std::move(changes), "drift repaired");
}

// One transaction back to what was ordered, and the events that say who changed it (ISO-6).
DriftRepair::Outcome Isolation::Impl::RepairDrift(std::vector<platform::RulesetChange> changes,
                                                  const std::string& cause) {
  const DriftRepair::Outcome outcome = drift_.Repair(Policy(), std::move(changes));
  if (!outcome.drifted) return outcome;
  dropped_before_ += outcome.dropped_packets;
  count_leaks_anew_ = true;
  if (outcome.repair.ok()) {
    CutForbiddenConnections();
  } else {
    spdlog::error("isolation: the rules could not be put right: {}", Message(outcome.repair));
  }
  if (IsClosedState(state_)) NameProblem(outcome.repair);
  Tell(StrCat(cause, ": ", outcome.found));
  CountLeaks();
  return outcome;
}

// What takes its time, and none of which an order waits for.
void Isolation::Impl::CountLeaks() {
  if (parts_.leaks == nullptr || !std::exchange(count_leaks_anew_, false)) return;
  if (const absl::Status follows = parts_.leaks->Follow(Policy()); !follows.ok()) {
    spdlog::warn("isolation: packets that slip through would not be counted: {}", Message(follows));
  }
}

void Isolation::Impl::ProbeAndTidy() {
  CountLeaks();
  if (std::exchange(guard_is_due_, false)) AskGuard();
  proof_.Tick([this] { return Policy(); },
              [this] {
                if (proof_.ShowsHoles()) {
                  Tell("live probes");
                } else if (listener_) {
                  listener_(ReadReceipt());
                }
              });
}

// The kernel first; addresses are handed out only after this has returned OK.
absl::Status Isolation::Impl::OnNamesChanged(Names::Change change) {
  const FilterPolicy policy = Policy();
  if (kept_ || policy.level == Level::kObserve) return absl::OkStatus();
  CORDON_RETURN_IF_ERROR(change == Names::Change::kAddresses ? parts_.filter->UpdateNames(policy)
                                                             : parts_.filter->Apply(policy));
  count_leaks_anew_ = true;
  SaveNamesIfDue(names_.Changed(&state_));
  return absl::OkStatus();
}

void Isolation::Impl::SaveNamesIfDue(bool due) {
  if (!due) return;
  if (const absl::Status saved = Save(state_); !saved.ok())
    spdlog::error("isolation: opened addresses will be lost when the agent ends: {}", Message(saved));
}

void Isolation::Impl::Tick() {
  if (const absl::Status tidied = parts_.filter->Tidy(); !tidied.ok()) {
    spdlog::warn("isolation: {}", Message(tidied));
  }
  std::string cause;
  if (programs_.Refresh(Policy().programs, &cause)) Tell(cause);
  names_.Tick();
  SaveNamesIfDue(names_.SaveIsDue());
  if (names_.NotesTurned()) Tell("names");
  ProbeAndTidy();
  SaveIfUnsaved();
  ReadIfUnread();
  LookAtKept();
  if (std::exchange(step_down_refused_, false)) ProveChannel();
  CountDown();
  TryToClimb();
}

void Isolation::Impl::CountDown() {
  if (!CountsTime(state_)) return;
  CountTime(&state_, options_.boot_id, *parts_.clock);
  if (UnlockEnded(state_)) EndUnlock();
  if (LeaseEnded(state_)) return EndLease();
  if (ByItselfEnded(state_)) return EndByItself();
  const int64_t every = state_.has_unlock() ? kSaveUnlockEvery : kSaveLeaseEvery;
  if (parts_.clock->BootNanos() - time_saved_at_ < every) return;
  time_saved_at_ = parts_.clock->BootNanos();
  if (const absl::Status saved = Save(state_); !saved.ok()) spdlog::error("isolation: {}", Message(saved));
}

void Isolation::Impl::EndLease() {
  v1::IsolationState next;
  next.set_order_id(state_.order_id());
  next.set_sequence(state_.sequence());
  const v1::Level then = state_.action().lease().then();
  next.set_level(then == v1::LEVEL_UNSPECIFIED ? v1::LEVEL_OBSERVE : std::min(then, state_.level()));
  if (next.level() != v1::LEVEL_OBSERVE) {
    *next.mutable_action() = state_.action();
    next.mutable_action()->set_level(next.level());
    next.mutable_action()->clear_lease();
  }
  // What goes on without it, counted on.
  next.set_boot_id(state_.boot_id());
  next.set_boot_nanos(state_.boot_nanos());
  next.set_times_by_itself(state_.times_by_itself());
  if (state_.has_by_itself()) *next.mutable_by_itself() = state_.by_itself();
  if (state_.has_unlock()) *next.mutable_unlock() = state_.unlock();
  DropIdleUnlock(&next);
  FilterPolicy ordered = AtLevel(ordered_, FilterLevel(next.level()));
  // When it cannot be done now, the lease stays at its end and the next Tick tries again.
  if (const auto taken = Take(std::move(next), std::move(ordered), "lease ended"); !taken.ok()) {
    spdlog::error("isolation: the lease has ended and the level cannot be changed: {}",
                  Message(taken.status()));
  }
}

// For the receipt alone: decides nothing.
void Isolation::Impl::ShowChannel() {
  if (parts_.channel == nullptr) return;
  parts_.channel->Prove([this, generation = generation_](const absl::Status& proof) {
    if (generation == generation_) proof_.SetChannel(Policy(), proof);
  });
}

// What allows names only works when the guard answers.
void Isolation::Impl::AskGuard() {
  if (parts_.names == nullptr || !Policy().dns.has_value()) return;
  parts_.names->AskGuard([this, generation = generation_](const absl::Status& answer) {
    if (generation != generation_ || !Policy().dns.has_value()) return;
    if (proof_.SetGuard(answer))
      Tell(answer.ok() ? "the DNS guard answers again" : "the DNS guard does not answer");
  });
}

absl::Status Isolation::Impl::Prove() {
  LookAtKept();
  const v1::Receipt receipt = ReadReceipt();
  AskGuard();
  if (proof_.ChannelInDoubt()) ShowChannel();
  const bool as_ordered = receipt.containment() == v1::CONTAINMENT_CONTAINED ||
                          (receipt.containment() == v1::CONTAINMENT_OPEN && receipt.reasons().empty());
  const bool news = told_ != v1::CONTAINMENT_UNSPECIFIED &&
                    (receipt.containment() != told_ || proof_.StopsAllowed() != told_stopped_);
  if (as_ordered) {
    if (news) Tell("proof");
    return absl::OkStatus();
  }
  std::string found = receipt.reasons().empty() ? "not contained" : receipt.reasons(0);
  if (receipt.reasons_size() > 1) StrAppend(&found, " (and ", receipt.reasons_size() - 1, " more)");
  if (kept_) return absl::FailedPreconditionError(found);
  const DriftRepair::Outcome outcome = RepairDrift({}, "drift repaired");
  if (!outcome.drifted) {
    if (news) Tell("proof");
    return absl::FailedPreconditionError(found);
  }
  if (!outcome.repair.ok()) return Annotate(outcome.repair, StrCat(found, "; it could not be put right"));
  return absl::FailedPreconditionError(StrCat(found, "; the rules were put right"));
}

}  // namespace cordon::agent
