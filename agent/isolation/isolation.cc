#include "agent/isolation/isolation.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "agent/isolation/drift.h"
#include "agent/isolation/evaluate.h"
#include "agent/isolation/live_proof.h"
#include "agent/isolation/name_duty.h"
#include "agent/isolation/policy.h"
#include "agent/isolation/program_binding.h"
#include "agent/isolation/receipt.h"
#include "agent/isolation/recovery.h"
#include "agent/isolation/state.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

using platform::FilterPolicy;
using platform::FilterReadback;
using platform::Level;

constexpr Level kHeldLevel = Level::kControllerOnly;
constexpr int64_t kSaveLeaseEvery = 60 * kNanosPerSecond;

v1::Level WireLevel(Level level) {
  return static_cast<v1::Level>(level);
}
Level FilterLevel(v1::Level level) {
  return static_cast<Level>(level);
}

}  // namespace

class Isolation::Impl {
 public:
  Impl(IsolationParts parts, IsolationOptions options)
      : parts_(parts),
        options_(std::move(options)),
        names_(parts.names, parts.clock),
        programs_(parts.marks),
        proof_({.escape = parts.escape,
                .inbound = parts.inbound,
                .bypasses = parts.bypasses,
                .clock = parts.clock}),
        drift_({.filter = parts.filter,
                .leaks = parts.leaks,
                .processes = nullptr,
                .clock = parts.clock,
                .events = parts.events}) {
    state_.set_level(v1::LEVEL_OBSERVE);
    if (parts_.names != nullptr)
      parts_.names->OnChange([this](Names::Change change) { return OnNamesChanged(change); });
  }

  void OnReceipt(std::function<void(const v1::Receipt&)> listener) { listener_ = std::move(listener); }

  absl::Status Restore();
  absl::Status RestoreState();
  void SetControllers(std::vector<Endpoint> controllers);
  absl::StatusOr<v1::Receipt> Set(const v1::IsolateAction& action, const std::string& order_id,
                                  uint64_t sequence);
  absl::StatusOr<v1::Receipt> Release(const std::string& order_id, uint64_t sequence);
  absl::StatusOr<FilterPolicy> Intended(const v1::IsolateAction& action) const;
  absl::StatusOr<v1::Receipt> ReleaseLocally();
  void OnLinksChanged(std::vector<std::string> moved_away);
  void OnRulesChanged(std::vector<platform::RulesetChange> changes);
  void Know(const ProcessDirectory* processes) { drift_.Use(processes); }
  void Tick();
  void EndHold(const std::string& why);
  v1::Receipt ReadReceipt() { return ReceiptOf(parts_.filter->ReadBack(Policy())); }
  absl::Status Prove();
  v1::LaneState Lane() const;
  v1::Level LevelMeant() const { return state_.level(); }

 private:
  // What the state asks of the kernel now.
  FilterPolicy Policy() const;
  void SettlePrograms();
  v1::Receipt ReceiptOf(const absl::StatusOr<FilterReadback>& readback);

  absl::Status CheckSequence(const std::string& order_id, uint64_t sequence) const;
  absl::StatusOr<v1::Receipt> Take(v1::IsolationState next, FilterPolicy ordered, const std::string& cause);
  absl::Status Save(const v1::IsolationState& state);
  absl::Status PutInForce();
  void CutForbiddenConnections();
  v1::Receipt Tell(const std::string& cause, const absl::StatusOr<FilterReadback>& readback);
  v1::Receipt Tell(const std::string& cause) { return Tell(cause, parts_.filter->ReadBack(Policy())); }
  absl::Status SetAside(const absl::Status& why);
  absl::Status TakeClosedSide();
  absl::Status HoldFreshHost();

  void ProveChannel();
  void OnChannelProof(uint64_t generation, const absl::Status& proof);
  void StepDown(const absl::Status& why);
  void EndLease();
  DriftRepair::Outcome RepairDrift(std::vector<platform::RulesetChange> changes, const std::string& cause);
  void CountLeaks();
  void ProbeAndTidy();
  absl::Status OnNamesChanged(Names::Change change);
  void SaveNamesIfDue(bool due);

  IsolationParts parts_;
  IsolationOptions options_;
  NameDuty names_;
  std::function<void(const v1::Receipt&)> listener_;
  v1::IsolationState state_;
  FilterPolicy ordered_;  // of state_.action, at its own level
  ProgramBinding programs_;
  std::vector<Endpoint> controllers_;
  std::string state_problem_;
  std::vector<std::string> moved_told_;
  LiveProof proof_;
  DriftRepair drift_;
  v1::Containment told_ = v1::CONTAINMENT_UNSPECIFIED;  // last
  bool count_leaks_anew_ = true;                        // the leak counter still follows an earlier policy
  uint64_t dropped_before_ = 0;
  int64_t apply_nanos_ = 0;
  int64_t lease_saved_at_ = 0;
  bool kept_ = false;        // of a state that was lost, what stands in the kernel is left as it is
  uint64_t generation_ = 0;  // rises with every change: a proof of an earlier state counts for nothing
};

FilterPolicy Isolation::Impl::Policy() const {
  FilterPolicy policy = ordered_;
  policy.controllers = controllers_;
  names_.Fill(&policy);
  return AtLevel(std::move(policy),
                 std::max(FilterLevel(state_.level()), options_.hold ? kHeldLevel : Level::kObserve));
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
                     .programs = programs_.Facts(policy.programs)};
  proof_.AddTo(&facts);
  v1::IsolationState in_force = state_;
  const bool held = options_.hold && FilterLevel(state_.level()) < kHeldLevel;
  if (held) in_force.set_level(WireLevel(kHeldLevel));
  v1::Receipt receipt = MakeReceipt(in_force, readback, facts);
  if (held)
    receipt.add_reasons("held at controller-only since boot until a controller has been asked for orders");
  if (parts_.signer == nullptr) return receipt;
  if (const absl::Status signed_now = parts_.signer->Sign(&receipt); !signed_now.ok()) {
    spdlog::error("isolation: {}", Message(signed_now));
  }
  return receipt;
}

absl::Status Isolation::Impl::Save(const v1::IsolationState& state) {
  return Annotate(
      platform::WriteFileDurably(options_.state_file, EncodeState(state), platform::FileAccess::kOwnerOnly),
      "the isolation state cannot be saved, so nothing was changed");
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

// On disk, then in the kernel (ISO-9); back on disk as it was when the kernel refuses.
absl::StatusOr<v1::Receipt> Isolation::Impl::Take(v1::IsolationState next, FilterPolicy ordered,
                                                  const std::string& cause) {
  const int64_t began = parts_.clock->BootNanos();
  for (const Endpoint& controller : controllers_) next.add_controllers(FormatEndpoint(controller));
  names_.Begin(&next);
  if (absl::Status saved = Save(next); !saved.ok()) {
    SettlePrograms();
    names_.Begin(&state_);
    names_.Settle();
    return saved;
  }
  const v1::IsolationState before = std::exchange(state_, std::move(next));
  const FilterPolicy ordered_before = std::exchange(ordered_, std::move(ordered));
  if (absl::Status applied = PutInForce(); !applied.ok()) {
    state_ = before;
    ordered_ = ordered_before;
    SettlePrograms();
    names_.Begin(&state_);
    names_.Settle();
    if (const absl::Status undone = Save(state_); !undone.ok())
      spdlog::error("isolation: {}", Message(undone));
    return applied;
  }
  names_.Settle();
  ++generation_;
  kept_ = false;
  state_problem_.clear();
  proof_.Forget();
  dropped_before_ = 0;
  lease_saved_at_ = parts_.clock->BootNanos();
  if (state_.level() == v1::LEVEL_OBSERVE) CountLeaks();  // nothing is left behind on the host
  const auto readback = parts_.filter->ReadBack(Policy());
  apply_nanos_ = parts_.clock->BootNanos() - began;
  return Tell(cause, readback);
}

absl::StatusOr<v1::Receipt> Isolation::Impl::Set(const v1::IsolateAction& action, const std::string& order_id,
                                                 uint64_t sequence) {
  const absl::Status order = CheckSequence(order_id, sequence);
  if (absl::IsAlreadyExists(order)) return ReadReceipt();
  CORDON_RETURN_IF_ERROR(order);
  CORDON_ASSIGN_OR_RETURN(FilterPolicy policy, PolicyOf(action));
  if (!policy.name_sets.empty() && !names_.Possible())
    return absl::UnimplementedError("the profile allows by host name, which this agent cannot enforce");
  CORDON_RETURN_IF_ERROR(programs_.Widen(policy.programs));
  v1::IsolationState next;
  next.set_order_id(order_id);
  next.set_sequence(sequence);
  *next.mutable_action() = action;
  next.set_level(action.level());
  // dark closes the channel by its very meaning: there is nothing to prove, and nothing to fall back from.
  next.set_channel_unproven(action.level() != v1::LEVEL_DARK);
  StartLease(&next, options_.boot_id, *parts_.clock);
  CORDON_ASSIGN_OR_RETURN(v1::Receipt receipt, Take(std::move(next), std::move(policy), "order"));
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

void Isolation::Impl::ProveChannel() {
  if (!state_.channel_unproven() || parts_.channel == nullptr) return;
  parts_.channel->Prove(
      [this, generation = generation_](const absl::Status& proof) { OnChannelProof(generation, proof); });
}

void Isolation::Impl::OnChannelProof(uint64_t generation, const absl::Status& proof) {
  if (generation != generation_) return;
  proof_.SetChannel(Policy(), proof);
  if (!proof.ok() && state_.action().fallback() == v1::FALLBACK_STEP_DOWN) return StepDown(proof);
  if (!proof.ok()) {
    spdlog::warn("isolation: the controller is not reached under {} and the order says hold: {}",
                 LevelName(FilterLevel(state_.level())), Message(proof));
  }
  state_.set_channel_unproven(false);
  if (const absl::Status saved = Save(state_); !saved.ok()) spdlog::error("isolation: {}", Message(saved));
}

// One level towards observe, and the next proof (ISO-4).
void Isolation::Impl::StepDown(const absl::Status& why) {
  v1::IsolationState next = state_;
  next.clear_controllers();
  const Level lower = static_cast<Level>(state_.level() - 1);
  next.set_level(WireLevel(lower));
  next.set_channel_unproven(lower != Level::kObserve);
  next.set_note(StrCat("stepped down to ", LevelName(lower),
                       " as the order says, because the controller was not reached "
                       "under ",
                       LevelName(FilterLevel(state_.level())), ": ", Printable(Message(why))));
  if (const auto taken = Take(std::move(next), ordered_, "fallback: step down"); !taken.ok()) {
    spdlog::error("isolation: cannot step down: {}", Message(taken.status()));
    return;
  }
  ProveChannel();
}

void Isolation::Impl::SetControllers(std::vector<Endpoint> controllers) {
  std::sort(controllers.begin(), controllers.end());
  if (controllers == controllers_) return;
  controllers_ = std::move(controllers);
  if (kept_ || Policy().level == Level::kObserve) return;
  state_.clear_controllers();
  for (const Endpoint& controller : controllers_) state_.add_controllers(FormatEndpoint(controller));
  absl::Status status = Save(state_);
  if (status.ok()) status = PutInForce();
  if (!status.ok()) spdlog::error("isolation: new controller addresses are not open: {}", Message(status));
}

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
  if (policy.level == Level::kObserve) return absl::OkStatus();
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
  if (!HasLease(state_)) return;
  CountLease(&state_, options_.boot_id, *parts_.clock);
  if (LeaseEnded(state_)) return EndLease();
  if (parts_.clock->BootNanos() - lease_saved_at_ < kSaveLeaseEvery) return;
  lease_saved_at_ = parts_.clock->BootNanos();
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
  FilterPolicy ordered = AtLevel(ordered_, FilterLevel(next.level()));
  // When it cannot be done now, the lease stays at its end and the next Tick tries again.
  if (const auto taken = Take(std::move(next), std::move(ordered), "lease ended"); !taken.ok()) {
    spdlog::error("isolation: the lease has ended and the level cannot be changed: {}",
                  Message(taken.status()));
  }
}

absl::Status Isolation::Impl::SetAside(const absl::Status& why) {
  std::string problem(Message(why));
  std::error_code error;
  if (std::filesystem::exists(options_.state_file, error)) {
    std::filesystem::path aside = options_.state_file;
    aside += StrCat(".damaged-", parts_.clock->WallNanos());
    std::filesystem::rename(options_.state_file, aside, error);
    StrAppend(&problem, "; it is ", error ? "left in place" : "set aside as ",
              error ? "" : aside.filename().string());
  }
  state_ = ClosedState(options_.state_file.parent_path(), problem, *parts_.clock);
  if (const absl::Status saved = Save(state_); !saved.ok()) spdlog::error("isolation: {}", Message(saved));
  return TakeClosedSide();
}

// The state does not say what was ordered. What stands in the kernel is kept, for nothing but an order may
// open it; where nothing stands, as after a boot, the host is closed but for its controllers (ISO-5).
absl::Status Isolation::Impl::TakeClosedSide() {
  ordered_ = {};
  if (controllers_.empty()) controllers_ = ControllersOf(state_);
  const auto readback = parts_.filter->ReadBack(Policy());
  kept_ = !readback.ok() || (!readback->absent && !readback->matches);
  const absl::Status closed = kept_ ? absl::OkStatus() : PutInForce();
  state_problem_ = StrCat(state_.note(), ", and ",
                          kept_         ? "what stands in the kernel is kept"
                          : closed.ok() ? "the host is closed but for its controllers"
                                        : StrCat("the host cannot be closed (", Message(closed), ")"),
                          ": order isolate or release anew");
  spdlog::error("isolation: {}", state_problem_);
  Tell("agent start");
  return absl::DataLossError(state_problem_);
}

absl::Status Isolation::Impl::Restore() {
  const absl::Status restored = RestoreState();
  if (restored.ok()) SettlePrograms();  // an agent that died in between may have left some
  return restored;
}

absl::Status Isolation::Impl::RestoreState() {
  if (options_.hold && controllers_.empty())
    controllers_ = KnownControllers(options_.state_file.parent_path());
  const absl::StatusOr<std::string> bytes = platform::ReadFileBounded(options_.state_file, kMaxStateBytes);
  if (absl::IsNotFound(bytes.status())) {
    const auto readback = parts_.filter->ReadBack(Policy());
    if (!readback.ok()) return readback.status();
    if (readback->absent) return options_.hold ? HoldFreshHost() : absl::OkStatus();
    return SetAside(absl::DataLossError(
        "rules of Cordon stand in the kernel, but there is no isolation state that asks for them"));
  }
  if (!bytes.ok() && !absl::IsOutOfRange(bytes.status())) return bytes.status();
  absl::StatusOr<v1::IsolationState> state = bytes.ok() ? DecodeState(*bytes) : bytes.status();
  absl::StatusOr<FilterPolicy> ordered = FilterPolicy{};
  if (state.ok() && state->has_action()) ordered = PolicyOf(state->action());
  if (!state.ok()) return SetAside(state.status());
  if (!ordered.ok()) return SetAside(ordered.status());
  state_ = *std::move(state);
  if (IsClosedState(state_)) return TakeClosedSide();
  ordered_ = *std::move(ordered);
  if (state_.controllers_size() > 0) controllers_ = ControllersOf(state_);
  if (HasLease(state_)) CountLease(&state_, options_.boot_id, *parts_.clock);
  if (state_.level() == v1::LEVEL_OBSERVE && !state_.has_action()) {
    const auto readback = parts_.filter->ReadBack(Policy());
    if (readback.ok() && readback->matches) return absl::OkStatus();
  }
  names_.Begin(&state_);
  CORDON_RETURN_IF_ERROR(PutInForce());
  names_.Settle();
  Tell("agent start");
  ProveChannel();
  return absl::OkStatus();
}

// With a state on disk, so that the rules are not taken for those of a state that was lost.
absl::Status Isolation::Impl::HoldFreshHost() {
  CORDON_RETURN_IF_ERROR(Save(state_));
  CORDON_RETURN_IF_ERROR(PutInForce());
  Tell("agent start");
  return absl::OkStatus();
}

void Isolation::Impl::EndHold(const std::string& why) {
  if (!std::exchange(options_.hold, false) || kept_ || FilterLevel(state_.level()) >= kHeldLevel) return;
  const absl::Status applied = PutInForce();
  if (!applied.ok()) spdlog::error("isolation: the hold since boot cannot be ended: {}", Message(applied));
  Tell(StrCat("hold since boot ended: ", why));
}

absl::Status Isolation::Impl::Prove() {
  const v1::Receipt receipt = ReadReceipt();
  if (proof_.ChannelInDoubt() && parts_.channel != nullptr) {
    parts_.channel->Prove([this, generation = generation_](const absl::Status& proof) {
      if (generation == generation_) proof_.SetChannel(Policy(), proof);
    });
  }
  const bool as_ordered = receipt.containment() == v1::CONTAINMENT_CONTAINED ||
                          (receipt.containment() == v1::CONTAINMENT_OPEN && receipt.reasons().empty());
  const bool news = told_ != v1::CONTAINMENT_UNSPECIFIED && receipt.containment() != told_;
  if (as_ordered) {
    if (news) Tell("proof");
    return absl::OkStatus();
  }
  std::string found = receipt.reasons().empty() ? "not contained" : receipt.reasons(0);
  if (receipt.reasons_size() > 1) StrAppend(&found, " (and ", receipt.reasons_size() - 1, " more)");
  if (!state_problem_.empty()) return absl::FailedPreconditionError(found);
  const DriftRepair::Outcome outcome = RepairDrift({}, "drift repaired");
  if (!outcome.drifted) {
    if (news) Tell("proof");
    return absl::FailedPreconditionError(found);
  }
  if (!outcome.repair.ok()) return Annotate(outcome.repair, StrCat(found, "; it could not be put right"));
  return absl::FailedPreconditionError(StrCat(found, "; the rules were put right"));
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
absl::StatusOr<v1::Receipt> Isolation::ReleaseLocally() {
  return impl_->ReleaseLocally();
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

}  // namespace cordon::agent
