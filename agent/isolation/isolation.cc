#include "agent/isolation/isolation.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>
#include <system_error>
#include <utility>

#include "agent/isolation/evaluate.h"
#include "agent/isolation/isolation_impl.h"
#include "agent/isolation/policy.h"
#include "agent/isolation/receipt.h"
#include "agent/isolation/recovery.h"
#include "agent/isolation/state.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/files.h"

namespace cordon::agent {

using platform::FilterPolicy;
using platform::FilterReadback;
using platform::Level;

FilterPolicy Isolation::Impl::PolicyFor(const v1::IsolationState& state, FilterPolicy policy) const {
  policy.controllers = controllers_;
  names_.Fill(&policy);
  return AtLevel(std::move(policy),
                 std::max(FilterLevel(LevelInForce(state)), options_.hold ? kHeldLevel : Level::kObserve));
}

// With what can be shown without waiting, tried now.
v1::Receipt Isolation::Impl::ReceiptOf(const absl::StatusOr<FilterReadback>& readback) {
  const FilterPolicy policy = Policy();
  if (parts_.links != nullptr) proof_.SetMovedAway(parts_.links->MovedAway());
  proof_.TryNow(policy, readback.ok() ? readback->uplinks : std::vector<std::string>());
  ReceiptFacts facts{.now_unix_nanos = parts_.clock->WallNanos(),
                     .apply_nanos = apply_nanos_,
                     .dropped_before = dropped_before_,
                     .probes = {},
                     .holes = {},
                     .doubts = {},
                     .notes = names_.Notes(),
                     .state_problem = state_problem_,
                     .unlocked = UnlockInWords(),
                     .programs = programs_.Facts(policy.programs)};
  proof_.AddTo(ProfileInForce(), &facts);
  v1::IsolationState in_force = state_;
  const bool held = options_.hold && FilterLevel(LevelInForce(state_)) < kHeldLevel;
  in_force.set_level(held ? WireLevel(kHeldLevel) : LevelInForce(state_));
  v1::Receipt receipt = MakeReceipt(in_force, readback, facts);
  if (held)
    receipt.add_reasons("held at controller-only since boot until a controller has been asked for orders");
  TellByItself(&receipt);
  if (parts_.signer == nullptr) return receipt;
  if (const absl::Status signed_now = parts_.signer->Sign(&receipt); !signed_now.ok()) {
    spdlog::error("isolation: {}", Message(signed_now));
  }
  return receipt;
}

// The kernel gets the rules, which judge nothing yet, while the disk takes its time.
absl::Status Isolation::Impl::SaveAndPrepare(const v1::IsolationState& next, const FilterPolicy& asked) {
  std::future<absl::Status> saved;
  try {
    saved = std::async(std::launch::async, [&] { return Save(next); });
  } catch (const std::system_error&) {  // the host is out of processes: one after the other then
    return Save(next);
  }
  parts_.filter->Prepare(PolicyFor(next, asked));
  return saved.get();
}

// Rules, then what the rules forbid is cut: in this order nothing can open anew in between (ISO-2).
absl::Status Isolation::Impl::PutInForce() {
  const FilterPolicy policy = Policy();
  // Without their marks the rules hold all the same, and the receipt says which program is shut out.
  if (const absl::Status marked = programs_.Widen(policy.programs); !marked.ok())
    spdlog::error("isolation: {}", Message(marked));
  CORDON_RETURN_IF_ERROR(parts_.filter->Apply(policy));
  SettlePrograms();
  if (names_.RedirectTurned(policy)) {
    if (const absl::Status forgotten = parts_.connections->ForgetTrackedFlows(); !forgotten.ok())
      spdlog::warn("isolation: lookups that are under way may fail for a while: {}", Message(forgotten));
  }
  count_leaks_anew_ = true;
  if (policy.level == Level::kObserve)
    CountLeaks();  // nothing is to be counted: at once, before anybody goes
  CutForbiddenConnections();
  return absl::OkStatus();
}

void Isolation::Impl::SettlePrograms() {
  const absl::Status settled = programs_.Settle(Policy().programs);
  if (!settled.ok()) spdlog::warn("isolation: {}", Message(settled));
}

// Flows that connection tracking remembers need no forgetting here: no rule asks for a flow's state.
void Isolation::Impl::CutForbiddenConnections() {
  const FilterPolicy policy = Policy();
  if (policy.level == Level::kObserve) return;
  const auto connections = parts_.connections->List();
  if (!connections.ok()) {
    spdlog::warn("isolation: packets are stopped, but programs are not told: {}",
                 Message(connections.status()));
    return;
  }
  int cut = 0;
  for (const platform::Connection& connection : *connections) {
    if (Allows(policy, connection)) continue;
    const absl::Status reset = parts_.connections->Reset(connection);
    if (reset.ok()) ++cut;
    if (!reset.ok() && !absl::IsNotFound(reset)) spdlog::warn("isolation: {}", Message(reset));
  }
  spdlog::info("isolation: {} in force, {} of {} connections cut", LevelName(policy.level), cut,
               connections->size());
}

v1::Receipt Isolation::Impl::Tell(const std::string& cause, const absl::StatusOr<FilterReadback>& readback) {
  const v1::Receipt receipt = ReceiptOf(readback);
  v1::Event event;
  *event.mutable_isolation_changed()->mutable_receipt() = receipt;
  event.mutable_isolation_changed()->set_cause(cause);
  parts_.events->Emit(v1::EVENT_CLASS_CONTROL, parts_.clock->WallNanos(), std::move(event));
  told_ = receipt.containment();
  told_stopped_ = proof_.StopsAllowed();
  if (listener_) listener_(receipt);
  return receipt;
}

absl::Status Isolation::Impl::CheckSequence(const std::string& order_id, uint64_t sequence) const {
  if (sequence > state_.sequence()) return absl::OkStatus();
  if (sequence == state_.sequence() && order_id == state_.order_id())
    return absl::AlreadyExistsError("applied before");
  return absl::FailedPreconditionError(StrCat("order ", order_id, " has sequence ", sequence,
                                              ", not above that of the last one applied, ",
                                              state_.sequence()));
}

// Where the kernel has refused: what was before, on disk too.
void Isolation::Impl::GoBack(v1::IsolationState before, FilterPolicy ordered, FilterPolicy own) {
  state_ = std::move(before);
  ordered_ = std::move(ordered);
  own_ = std::move(own);
  SettlePrograms();
  names_.Begin(&state_);
  names_.Settle();
  const absl::Status undone = PutBack();
  if (!undone.ok()) spdlog::error("isolation: {}", Message(undone));
  unsaved_ = !undone.ok() && !overtaken_ && !LeftAlone();
  // What is kept is not put in force anew, for nobody knows what it is.
  if (kept_) {
    if (!LeftAlone()) LookAtKept();
    return;
  }
  // A release that broke off may have taken the rules off their hooks.
  if (const absl::Status kept = parts_.filter->Apply(Policy()); !kept.ok())
    spdlog::error("isolation: {}", Message(kept));
}

// On disk, then in the kernel (ISO-9); back on disk as it was when the kernel refuses.
absl::StatusOr<v1::Receipt> Isolation::Impl::Take(v1::IsolationState next, FilterPolicy ordered,
                                                  FilterPolicy own, const std::string& cause, Disk disk) {
  const int64_t began = parts_.clock->BootNanos();
  for (const Endpoint& controller : controllers_) next.add_controllers(FormatEndpoint(controller));
  names_.Begin(&next);
  absl::Status saved = SaveAndPrepare(next, ByItselfDecides(next) ? own : ordered);
  const bool unsaved = !saved.ok() && disk == Disk::kLater && !overtaken_;
  if (!saved.ok() && !unsaved) {
    if (const absl::Status tidied = parts_.filter->Tidy(); !tidied.ok())
      spdlog::warn("isolation: {}", Message(tidied));
    SettlePrograms();
    names_.Begin(&state_);
    names_.Settle();
    return saved;
  }
  if (unsaved) spdlog::error("isolation: {} before it is on the disk ({})", cause, Message(saved));
  v1::IsolationState before = std::exchange(state_, std::move(next));
  FilterPolicy ordered_before = std::exchange(ordered_, std::move(ordered));
  FilterPolicy own_before = std::exchange(own_, std::move(own));
  if (absl::Status applied = PutInForce(); !applied.ok()) {
    GoBack(std::move(before), std::move(ordered_before), std::move(own_before));
    return applied;
  }
  names_.Settle();
  ++generation_;
  guard_is_due_ = true;
  kept_ = false;
  unsaved_ = unsaved;
  unread_ = false;
  step_down_refused_ = false;
  if (!IsClosedState(state_)) state_problem_.clear();
  proof_.Forget();
  dropped_before_ = 0;
  time_saved_at_ = parts_.clock->BootNanos();
  if (LevelInForce(state_) == v1::LEVEL_OBSERVE) CountLeaks();  // nothing is left behind on the host
  const auto readback = parts_.filter->ReadBack(Policy());
  apply_nanos_ = parts_.clock->BootNanos() - began;
  v1::Receipt receipt = Tell(cause, readback);
  if (before.has_unlock() && !state_.has_unlock()) TellUnlockEnded(before.unlock(), cause);
  return receipt;
}

absl::StatusOr<v1::Receipt> Isolation::Impl::Set(const v1::IsolateAction& action, const std::string& order_id,
                                                 uint64_t sequence) {
  const absl::Status order = CheckSequence(order_id, sequence);
  if (absl::IsAlreadyExists(order)) return ReadReceipt();
  CORDON_RETURN_IF_ERROR(order);
  return TakeAction(action, order_id, sequence, "order");
}

absl::StatusOr<FilterPolicy> Isolation::Impl::Possible(absl::StatusOr<FilterPolicy> policy) {
  if (!policy.ok()) return policy;
  if (!policy->name_sets.empty() && !names_.Possible())
    return absl::UnimplementedError("the profile allows by host name, which this agent cannot enforce");
  CORDON_RETURN_IF_ERROR(programs_.Widen(policy->programs));
  return policy;
}

absl::StatusOr<v1::Receipt> Isolation::Impl::TakeAction(const v1::IsolateAction& action,
                                                        const std::string& order_id, uint64_t sequence,
                                                        const std::string& cause) {
  CORDON_ASSIGN_OR_RETURN(FilterPolicy policy, Possible(PolicyOf(action)));
  v1::IsolationState next;
  next.set_order_id(order_id);
  next.set_sequence(sequence);
  *next.mutable_action() = action;
  next.set_level(action.level());
  // dark closes the channel by its very meaning: there is nothing to prove, and nothing to fall back from.
  next.set_channel_unproven(action.level() != v1::LEVEL_DARK);
  StartLease(&next, options_.boot_id, *parts_.clock);
  CORDON_ASSIGN_OR_RETURN(v1::Receipt receipt, Take(std::move(next), std::move(policy), cause));
  climb_wait_ = kFirstClimbWait;
  ProveChannel();
  return receipt;
}

absl::StatusOr<v1::Receipt> Isolation::Impl::Release(const std::string& order_id, uint64_t sequence) {
  const absl::Status order = CheckSequence(order_id, sequence);
  if (absl::IsAlreadyExists(order)) return ReadReceipt();
  CORDON_RETURN_IF_ERROR(order);
  v1::IsolationState next;
  next.set_order_id(order_id);
  next.set_sequence(sequence);
  next.set_level(v1::LEVEL_OBSERVE);
  return Take(std::move(next), {}, "order");
}

absl::StatusOr<v1::Receipt> Isolation::Impl::ReleaseLocally() {
  v1::IsolationState next;
  next.set_order_id(state_.order_id());
  next.set_sequence(state_.sequence());
  next.set_times_by_itself(state_.times_by_itself());
  next.set_level(v1::LEVEL_OBSERVE);
  return Take(std::move(next), {}, "local release");
}

absl::StatusOr<FilterPolicy> Isolation::Impl::Intended(const v1::IsolateAction& action) const {
  CORDON_ASSIGN_OR_RETURN(FilterPolicy policy, PolicyOf(action));
  if (!policy.name_sets.empty() && !names_.Possible())
    return absl::UnimplementedError("the profile allows by host name, which this agent cannot enforce");
  if (!policy.programs.empty() && parts_.marks == nullptr)
    return absl::UnimplementedError("the profile allows by program, which this agent cannot enforce");
  policy.controllers = controllers_;
  if (!policy.name_sets.empty()) policy.dns.emplace();  // the guard would take what goes to port 53
  return AtLevel(std::move(policy), FilterLevel(action.level()));
}

void Isolation::Impl::SetControllers(std::vector<Endpoint> controllers) {
  std::sort(controllers.begin(), controllers.end());
  if (controllers == controllers_) return;
  controllers_ = std::move(controllers);
  if (kept_ || Policy().level == Level::kObserve) return;
  state_.clear_controllers();
  for (const Endpoint& controller : controllers_) state_.add_controllers(FormatEndpoint(controller));
  absl::Status status = unread_ ? absl::OkStatus() : Save(state_);
  if (status.ok()) status = PutInForce();
  if (!status.ok()) spdlog::error("isolation: new controller addresses are not open: {}", Message(status));
}

v1::LaneState Isolation::Impl::Lane() const {
  v1::LaneState lane;
  lane.set_lane("isolation");
  lane.set_sequence(state_.sequence());
  lane.set_order_id(state_.order_id());
  return lane;
}

Isolation::Isolation(IsolationParts parts, IsolationOptions options)
    : impl_(std::make_unique<Impl>(parts, std::move(options))) {}
Isolation::~Isolation() = default;

void Isolation::OnReceipt(std::function<void(const v1::Receipt&)> listener) {
  impl_->OnReceipt(std::move(listener));
}
absl::Status Isolation::Restore() {
  return impl_->Restore();
}
void Isolation::SetControllers(std::vector<Endpoint> controllers) {
  impl_->SetControllers(std::move(controllers));
}
absl::StatusOr<v1::Receipt> Isolation::Set(const v1::IsolateAction& action, const std::string& order_id,
                                           uint64_t sequence) {
  return impl_->Set(action, order_id, sequence);
}
absl::StatusOr<v1::Receipt> Isolation::Release(const std::string& order_id, uint64_t sequence) {
  return impl_->Release(order_id, sequence);
}
absl::StatusOr<FilterPolicy> Isolation::Intended(const v1::IsolateAction& action) const {
  return impl_->Intended(action);
}
absl::StatusOr<v1::Receipt> Isolation::TakeByItself(const v1::SelfIsolation& allowed,
                                                    const std::string& cause) {
  return impl_->TakeByItself(allowed, cause);
}
absl::StatusOr<v1::Receipt> Isolation::ReleaseLocally() {
  return impl_->ReleaseLocally();
}
absl::Status Isolation::MayUnlock(v1::Level level) const {
  return impl_->MayUnlock(level);
}
absl::StatusOr<v1::Receipt> Isolation::Unlock(v1::Unlock unlock) {
  return impl_->Unlock(std::move(unlock));
}
void Isolation::OnLinksChanged(std::vector<std::string> moved_away) {
  impl_->OnLinksChanged(std::move(moved_away));
}
void Isolation::OnRulesChanged(std::vector<platform::RulesetChange> changes) {
  impl_->OnRulesChanged(std::move(changes));
}
void Isolation::Know(const ProcessDirectory* processes) {
  impl_->Know(processes);
}
void Isolation::Tick() {
  impl_->Tick();
}
bool Isolation::Overtaken() const {
  return impl_->Overtaken();
}
void Isolation::TakeOver() {
  impl_->TakeOver();
}
void Isolation::EndHold(const std::string& why) {
  impl_->EndHold(why);
}
v1::Receipt Isolation::ReadReceipt() {
  return impl_->ReadReceipt();
}
absl::Status Isolation::Prove() {
  return impl_->Prove();
}
v1::Level Isolation::LevelMeant() const {
  return impl_->LevelMeant();
}
v1::LaneState Isolation::Lane() const {
  return impl_->Lane();
}
uint64_t Isolation::TimesByItself() const {
  return impl_->TimesByItself();
}

}  // namespace cordon::agent
