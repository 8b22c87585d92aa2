#include "agent/isolation/isolation.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "agent/isolation/evaluate.h"
#include "agent/isolation/policy.h"
#include "agent/isolation/receipt.h"
#include "agent/isolation/state.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

using platform::FilterPolicy;
using platform::FilterReadback;
using platform::Level;

constexpr int64_t kSaveLeaseEvery = 60 * kNanosPerSecond;

// Packets that nothing answers, and that no level above observe lets out unless the profile names them.
std::vector<Endpoint> CanaryTargets(Level level) {
  const auto at = [](const char* address, uint16_t port) {
    return Endpoint{.address = boost::asio::ip::make_address(address), .port = port};
  };
  // TEST-NET-1 and the documentation prefix are routed nowhere. no-lateral blocks private networks only.
  if (level == Level::kNoLateral) return {at("169.254.255.254", 137), at("10.255.255.254", 137)};
  return {at("192.0.2.254", 9), at("192.0.2.253", 40009), at("2001:db8::fffe", 9)};
}

v1::Level WireLevel(Level level) {
  return static_cast<v1::Level>(level);
}
Level FilterLevel(v1::Level level) {
  return static_cast<Level>(level);
}

}  // namespace

class Isolation::Impl {
 public:
  Impl(IsolationParts parts, IsolationOptions options) : parts_(parts), options_(std::move(options)) {
    state_.set_level(v1::LEVEL_OBSERVE);
  }

  void OnReceipt(std::function<void(const v1::Receipt&)> listener) { listener_ = std::move(listener); }

  absl::Status Restore();
  void SetControllers(std::vector<Endpoint> controllers);
  absl::StatusOr<v1::Receipt> Set(const v1::IsolateAction& action, const std::string& order_id,
                                  uint64_t sequence);
  absl::StatusOr<v1::Receipt> Release(const std::string& order_id, uint64_t sequence);
  absl::StatusOr<FilterPolicy> Intended(const v1::IsolateAction& action) const;
  void OnLinksChanged();
  void Tick();
  v1::Receipt ReadReceipt() { return ReceiptOf(parts_.filter->ReadBack(Policy())); }
  absl::Status Prove();
  v1::LaneState Lane() const;

 private:
  // What the state asks of the kernel now.
  FilterPolicy Policy() const;
  v1::Receipt ReceiptOf(const absl::StatusOr<FilterReadback>& readback) const;

  absl::Status CheckSequence(const std::string& order_id, uint64_t sequence) const;
  absl::StatusOr<v1::Receipt> Take(v1::IsolationState next, FilterPolicy ordered, const std::string& cause);
  absl::Status Save(const v1::IsolationState& state);
  absl::Status PutInForce();
  void CutForbiddenConnections();
  v1::Receipt Tell(const std::string& cause, const absl::StatusOr<FilterReadback>& readback);
  v1::Receipt Tell(const std::string& cause) { return Tell(cause, parts_.filter->ReadBack(Policy())); }
  absl::Status SetAside(const absl::Status& why);
  absl::Status TellStateProblem(absl::StatusCode code);

  void ProveChannel();
  void OnChannelProof(uint64_t generation, const absl::Status& proof);
  void StepDown(const absl::Status& why);
  void EndLease();
  std::string TryToEscape();

  IsolationParts parts_;
  IsolationOptions options_;
  std::function<void(const v1::Receipt&)> listener_;
  v1::IsolationState state_;
  FilterPolicy ordered_;  // of state_.action, at its own level
  std::vector<Endpoint> controllers_;
  std::string state_problem_;
  std::string escaped_;
  uint64_t dropped_before_ = 0;
  int64_t apply_nanos_ = 0;
  int64_t lease_saved_at_ = 0;
  uint64_t generation_ = 0;  // rises with every change: a proof of an earlier state counts for nothing
};

FilterPolicy Isolation::Impl::Policy() const {
  FilterPolicy policy = ordered_;
  policy.controllers = controllers_;
  return AtLevel(std::move(policy), FilterLevel(state_.level()));
}

v1::Receipt Isolation::Impl::ReceiptOf(const absl::StatusOr<FilterReadback>& readback) const {
  return MakeReceipt(state_, readback,
                     {.now_unix_nanos = parts_.clock->WallNanos(),
                      .apply_nanos = apply_nanos_,
                      .dropped_before = dropped_before_,
                      .escaped = escaped_,
                      .state_problem = state_problem_});
}

absl::Status Isolation::Impl::Save(const v1::IsolationState& state) {
  return Annotate(
      platform::WriteFileDurably(options_.state_file, EncodeState(state), platform::FileAccess::kOwnerOnly),
      "the isolation state cannot be saved, so nothing was changed");
}

// Rules, then what the rules forbid is cut: in this order nothing can open anew in between (ISO-2).
absl::Status Isolation::Impl::PutInForce() {
  CORDON_RETURN_IF_ERROR(parts_.filter->Apply(Policy()));
  CutForbiddenConnections();
  return absl::OkStatus();
}

// Flows that connection tracking remembers need no forgetting: no rule asks for a flow's state.
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
  CORDON_RETURN_IF_ERROR(Save(next));
  const v1::IsolationState before = std::exchange(state_, std::move(next));
  const FilterPolicy ordered_before = std::exchange(ordered_, std::move(ordered));
  if (absl::Status applied = PutInForce(); !applied.ok()) {
    state_ = before;
    ordered_ = ordered_before;
    if (const absl::Status undone = Save(state_); !undone.ok())
      spdlog::error("isolation: {}", Message(undone));
    return applied;
  }
  ++generation_;
  state_problem_.clear();
  escaped_.clear();
  dropped_before_ = 0;
  lease_saved_at_ = parts_.clock->BootNanos();
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

absl::StatusOr<FilterPolicy> Isolation::Impl::Intended(const v1::IsolateAction& action) const {
  CORDON_ASSIGN_OR_RETURN(FilterPolicy policy, PolicyOf(action));
  policy.controllers = controllers_;
  return AtLevel(std::move(policy), FilterLevel(action.level()));
}

void Isolation::Impl::ProveChannel() {
  if (!state_.channel_unproven() || parts_.channel == nullptr) return;
  parts_.channel->Prove(
      [this, generation = generation_](const absl::Status& proof) { OnChannelProof(generation, proof); });
}

void Isolation::Impl::OnChannelProof(uint64_t generation, const absl::Status& proof) {
  if (generation != generation_) return;
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
  if (state_.level() == v1::LEVEL_OBSERVE) return;
  state_.clear_controllers();
  for (const Endpoint& controller : controllers_) state_.add_controllers(FormatEndpoint(controller));
  absl::Status status = Save(state_);
  if (status.ok()) status = PutInForce();
  if (!status.ok()) spdlog::error("isolation: new controller addresses are not open: {}", Message(status));
}

void Isolation::Impl::OnLinksChanged() {
  if (state_.level() == v1::LEVEL_OBSERVE) return;
  const auto readback = parts_.filter->ReadBack(Policy());
  if (readback.ok() && readback->matches) return;
  if (readback.ok()) dropped_before_ += readback->dropped_packets;
  const absl::Status applied = parts_.filter->Apply(Policy());
  if (!applied.ok()) spdlog::error("isolation: interfaces changed and are not covered: {}", Message(applied));
  Tell("network interfaces changed");
}

void Isolation::Impl::Tick() {
  if (const absl::Status tidied = parts_.filter->Tidy(); !tidied.ok()) {
    spdlog::warn("isolation: {}", Message(tidied));
  }
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

absl::Status Isolation::Impl::TellStateProblem(absl::StatusCode code) {
  spdlog::error("isolation: {}", state_problem_);
  Tell("agent start");
  return absl::Status(code, state_problem_);
}

absl::Status Isolation::Impl::SetAside(const absl::Status& why) {
  std::filesystem::path aside = options_.state_file;
  aside += StrCat(".damaged-", parts_.clock->WallNanos());
  std::error_code error;
  std::filesystem::rename(options_.state_file, aside, error);
  state_problem_ = StrCat(Message(why), "; it is ", error ? "left in place" : "set aside as ",
                          error ? "" : aside.filename().string(),
                          ", and what stands in the kernel is kept: order isolate or release anew");
  return TellStateProblem(absl::StatusCode::kDataLoss);
}

absl::Status Isolation::Impl::Restore() {
  const absl::StatusOr<std::string> bytes = platform::ReadFileBounded(options_.state_file, kMaxStateBytes);
  if (absl::IsNotFound(bytes.status())) {
    const auto readback = parts_.filter->ReadBack(Policy());
    if (readback.ok() && readback->matches) return absl::OkStatus();
    if (!readback.ok()) return readback.status();
    state_problem_ =
        "rules of Cordon stand in the kernel, but there is no isolation state that asks for them; they are "
        "kept: order isolate or release";
    return TellStateProblem(absl::StatusCode::kDataLoss);
  }
  if (!bytes.ok() && !absl::IsOutOfRange(bytes.status())) return bytes.status();
  absl::StatusOr<v1::IsolationState> state = bytes.ok() ? DecodeState(*bytes) : bytes.status();
  absl::StatusOr<FilterPolicy> ordered = FilterPolicy{};
  if (state.ok() && state->has_action()) ordered = PolicyOf(state->action());
  if (!state.ok()) return SetAside(state.status());
  if (!ordered.ok()) return SetAside(ordered.status());
  state_ = *std::move(state);
  ordered_ = *std::move(ordered);
  if (controllers_.empty()) {
    for (const std::string& text : state_.controllers()) {
      const absl::StatusOr<HostPort> parsed = ParseHostPort(text);
      boost::system::error_code error;
      const auto address = boost::asio::ip::make_address(parsed.ok() ? parsed->host : "", error);
      if (!error) controllers_.push_back({address, parsed->port});
    }
  }
  if (HasLease(state_)) CountLease(&state_, options_.boot_id, *parts_.clock);
  if (state_.level() == v1::LEVEL_OBSERVE && !state_.has_action()) {
    const auto readback = parts_.filter->ReadBack(Policy());
    if (readback.ok() && readback->matches) return absl::OkStatus();
  }
  CORDON_RETURN_IF_ERROR(PutInForce());
  Tell("agent start");
  ProveChannel();
  return absl::OkStatus();
}

// Sends what must not leave; the sentence for the receipt when it did.
std::string Isolation::Impl::TryToEscape() {
  const FilterPolicy policy = Policy();
  if (policy.level == Level::kObserve) return {};
  for (const Endpoint& target : CanaryTargets(policy.level)) {
    platform::Connection flow;
    flow.protocol = platform::FlowProtocol::kUdp;
    flow.remote = target;
    if (Allows(policy, flow)) continue;
    if (parts_.escape->TryToSend(target) == EscapeProbe::Outcome::kLeft) {
      return StrCat("a forbidden packet to ", FormatEndpoint(target), " could leave");
    }
  }
  return {};
}

absl::Status Isolation::Impl::Prove() {
  escaped_ = TryToEscape();
  const v1::Receipt receipt = ReadReceipt();
  const bool as_ordered = receipt.containment() == v1::CONTAINMENT_CONTAINED ||
                          (receipt.containment() == v1::CONTAINMENT_OPEN && receipt.reasons().empty());
  if (as_ordered) return absl::OkStatus();
  std::string found = receipt.reasons().empty() ? "not contained" : receipt.reasons(0);
  if (receipt.reasons_size() > 1) StrAppend(&found, " (and ", receipt.reasons_size() - 1, " more)");
  const auto readback = parts_.filter->ReadBack(Policy());
  const bool drifted = state_problem_.empty() && (!readback.ok() || !readback->matches);
  if (!drifted) return absl::FailedPreconditionError(found);
  if (readback.ok()) dropped_before_ += readback->dropped_packets;
  const absl::Status repaired = PutInForce();
  escaped_ = TryToEscape();
  Tell(StrCat("drift repaired: ", found));
  if (!repaired.ok()) return Annotate(repaired, StrCat(found, "; it could not be put right"));
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
void Isolation::OnLinksChanged() {
  impl_->OnLinksChanged();
}
void Isolation::Tick() {
  impl_->Tick();
}
v1::Receipt Isolation::ReadReceipt() {
  return impl_->ReadReceipt();
}
absl::Status Isolation::Prove() {
  return impl_->Prove();
}
v1::LaneState Isolation::Lane() const {
  return impl_->Lane();
}

}  // namespace cordon::agent
