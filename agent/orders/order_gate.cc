#include "agent/orders/order_gate.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "agent/orders/order_checks.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/wire/lifeline.h"
#include "common/wire/trust.h"

namespace cordon::agent {
namespace {

using Outcome = v1::OrderOutcome;

constexpr int64_t kHour = 3600 * kNanosPerSecond;

// Of an isolation, which is tried again unless it is refused: a full disk or too little memory passes.
Outcome::State StateOfIsolation(const absl::Status& status) {
  const bool passes = absl::IsResourceExhausted(status) || absl::IsNotFound(status);
  return passes ? Outcome::STATE_FAILED : StateOf(status);
}

std::string TrustText(uint64_t version) {
  return StrCat("trust bundle version ", version, " is in force");
}

}  // namespace

OrderGate::OrderGate(HostTraits host, TrustChain& trust, AuditWitness& witness, Parts parts)
    : host_(std::move(host)),
      trust_(trust),
      witness_(witness),
      parts_(std::move(parts)),
      refusal_hour_began_boot_nanos_(parts_.clock.BootNanos()) {}

// AUT-3, AUT-4, AUT-6
absl::StatusOr<v1::Order> OrderGate::Verify(const v1::SignedOrder& signed_order) const {
  const absl::StatusOr<v1::TrustBundle>& bundle = trust_.InForce();
  if (!bundle.ok()) return Annotate(bundle.status(), "order refused");
  CORDON_ASSIGN_OR_RETURN(v1::Order order, VerifyOrder(signed_order, *bundle));
  CORDON_RETURN_IF_ERROR(CheckLifeline(order, signed_order, *bundle, host_));
  return order;
}

void OrderGate::Handle(const v1::SignedOrder& signed_order, const v1::AuditProof& audit) {
  Judge(signed_order, Witness(audit));
  if (const absl::Status saved = witness_.Save(); !saved.ok()) {
    spdlog::error("what was seen of the audit log is not on disk: {}", Message(saved));
  }
}

absl::Status OrderGate::Witness(const v1::AuditProof& audit) {
  if (!trust_.InForce().ok()) return absl::OkStatus();  // every order is refused, for that reason
  const absl::Status witnessed = witness_.Judge(audit, *trust_.InForce());
  if (!witnessed.ok()) spdlog::error("audit log: {}", Message(witnessed));
  return witnessed;
}

void OrderGate::Judge(const v1::SignedOrder& signed_order, const absl::Status& witnessed) {
  if (trust_.IsInForce(signed_order)) {  // by its own bundle it would be an old one
    parts_.on_outcome(
        MakeOutcome(trust_.Lane().order_id(), Outcome::STATE_DONE, TrustText(trust_.Version())));
    return;
  }
  const absl::StatusOr<v1::Order> order = Verify(signed_order);
  if (!order.ok()) {
    Refuse(ClaimedOrderId(signed_order), Outcome::STATE_REFUSED, Message(order.status()));
    return;
  }
  if (const auto refusal = CheckForHost(*order, host_, parts_.clock.WallNanos(), kClockSlackNanos)) {
    Refuse(order->order_id(), refusal->state, refusal->message);
    return;
  }
  if (!witnessed.ok() && !order->has_trust()) {  // AUT-3
    Refuse(
        order->order_id(), Outcome::STATE_REFUSED,
        StrCat("order refused: ", Message(witnessed),
               "; if the controller was set back to a copy, its log needs a new key by a change of trust"));
    return;
  }
  HandleVerified(*order, signed_order);
}

void OrderGate::HandleVerified(const v1::Order& order, const v1::SignedOrder& signed_order) {
  if (LaneOf(order) == kIsolationLane) {
    HandleIsolation(order, signed_order);
  } else if (order.has_trust()) {
    HandleTrust(order, signed_order);
  } else {
    HandleRecorded(order, signed_order);
  }
}

// The level may shut the way on which its outcome would go: then the host says beforehand that it is taken.
// Nothing is recorded yet, so an order that came in between counts, and an agent that ends now has it sent
// again.
void OrderGate::HandleIsolation(const v1::Order& order, const v1::SignedOrder& signed_order) {
  const v1::LaneState lane = parts_.handler.IsolationLane();
  const bool newer = CompareWithLane(order, lane.sequence(), lane.order_id()) == LaneAnswer::kNewer &&
                     RetryAbove(order) == nullptr;
  if (!newer || order.isolate().level() != v1::LEVEL_DARK || !parts_.last_word)
    return IsolateNow(order, signed_order);
  if (std::exchange(going_dark_, order.order_id()) == order.order_id()) return;  // sent twice
  parts_.last_word(MakeOutcome(order.order_id(), Outcome::STATE_GOING_DARK,
                               "accepted: by this order the host shuts its way to the controller too, and "
                               "is not heard from then on"),
                   [this, order, signed_order] {
                     if (going_dark_ == order.order_id()) going_dark_.clear();
                     IsolateNow(order, signed_order);
                   });
}

void OrderGate::IsolateNow(const v1::Order& order, const v1::SignedOrder& signed_order) {
  const v1::LaneState lane = parts_.handler.IsolationLane();
  const LaneAnswer answer = CompareWithLane(order, lane.sequence(), lane.order_id());
  if (answer == LaneAnswer::kOlder) {
    Refuse(order.order_id(), Outcome::STATE_SUPERSEDED,
           StrCat("a newer order came first: ", Printable(lane.order_id())));
    return;
  }
  const Retry* const above = RetryAbove(order);
  if (above != nullptr && answer == LaneAnswer::kNewer) {  // ISO-9: that one is the state that is wished for
    Refuse(order.order_id(), Outcome::STATE_SUPERSEDED,
           StrCat("a newer order came first, which is tried again by itself: ", Printable(above->order_id)));
    return;
  }
  const absl::StatusOr<v1::Receipt> receipt =
      order.has_isolate() ? parts_.handler.Isolate(order.isolate(), order.order_id(), order.sequence())
                          : parts_.handler.Release(order.release(), order.order_id(), order.sequence());
  if (!receipt.ok()) {
    const Outcome::State state = StateOfIsolation(receipt.status());
    if (state == Outcome::STATE_FAILED) return FailForNow(order, signed_order, Message(receipt.status()));
    return Tell(MakeOutcome(order.order_id(), state, Message(receipt.status())));
  }
  ForgetRetries(order);
  const Outcome outcome = MakeDone(order.order_id(), *receipt);
  // The same order again has had its event.
  answer == LaneAnswer::kSame ? parts_.on_outcome(outcome) : Tell(outcome);
}

void OrderGate::HandleTrust(const v1::Order& order, const v1::SignedOrder& signed_order) {
  const v1::LaneState lane = trust_.Lane();
  if (CompareWithLane(order, lane.sequence(), lane.order_id()) != LaneAnswer::kNewer) {
    Refuse(order.order_id(), Outcome::STATE_SUPERSEDED,
           StrCat("a newer change of trust came first: ", lane.order_id()));
    return;
  }
  if (const absl::Status accepted = trust_.Accept(order, signed_order); !accepted.ok()) {
    return FailForNow(order, signed_order,
                      StrCat(Message(accepted), "; the trust bundle before it stays in force"));
  }
  ForgetRetries(order);
  TellTrustInForce();
  if (parts_.on_trust) parts_.on_trust();
}

void OrderGate::TellTrustInForce() {
  Tell(MakeOutcome(trust_.Lane().order_id(), Outcome::STATE_DONE, TrustText(trust_.Version())));
}

std::vector<v1::LaneState> OrderGate::Lanes() {
  std::vector<v1::LaneState> lanes;
  if (v1::LaneState isolation = parts_.handler.IsolationLane(); isolation.sequence() > 0) {
    lanes.push_back(std::move(isolation));
  }
  if (trust_.Lane().sequence() > 0) lanes.push_back(trust_.Lane());
  for (const std::string_view lane : kRecordedLanes) {
    const absl::StatusOr<std::optional<LaneRecord>> record = parts_.lanes.Read(lane);
    // One that cannot be read is left out: the controller then sends its order again, which is judged here.
    if (!record.ok() || !record->has_value() || (*record)->order_id.empty()) continue;
    v1::LaneState& state = lanes.emplace_back();
    state.set_lane(std::string(lane));
    state.set_sequence((*record)->sequence);
    state.set_order_id((*record)->order_id);
  }
  return lanes;
}

Outcome OrderGate::MakeOutcome(const std::string& order_id, Outcome::State state,
                               std::string_view message) const {
  Outcome outcome;
  outcome.set_order_id(order_id);
  outcome.set_host_id(host_.host_id);
  outcome.set_state(state);
  outcome.set_message(std::string(message));
  outcome.set_time_unix_nanos(parts_.clock.WallNanos());
  return outcome;
}

Outcome OrderGate::MakeDone(const std::string& order_id, const v1::Receipt& receipt) const {
  std::string reasons;
  for (const std::string& reason : receipt.reasons())
    StrAppend(&reasons, reasons.empty() ? "" : "; ", reason);
  Outcome outcome = MakeOutcome(order_id, Outcome::STATE_DONE, reasons);
  *outcome.mutable_receipt() = receipt;
  return outcome;
}

void OrderGate::Tell(const Outcome& outcome) {
  parts_.on_outcome(outcome);
  TellByEvent(outcome);
}

void OrderGate::TellByEvent(const Outcome& outcome) {
  v1::Event event;
  *event.mutable_order_outcome() = outcome;
  parts_.events.Emit(v1::EVENT_CLASS_CONTROL, outcome.time_unix_nanos(), std::move(event));
}

void OrderGate::Refuse(const std::string& order_id, Outcome::State state, std::string_view message) {
  const int64_t now = parts_.clock.BootNanos();
  if (now - refusal_hour_began_boot_nanos_ >= kHour) {
    refusal_hour_began_boot_nanos_ = now;
    refusals_told_ = 0;
  }
  Outcome outcome = MakeOutcome(order_id, state, Printable(message));
  if (refusals_told_ >= kRefusalEventsPerHour) {
    ++refusals_untold_;
    parts_.on_outcome(outcome);
    return;
  }
  ++refusals_told_;
  if (refusals_untold_ > 0) {
    outcome.set_message(StrCat(outcome.message(), " (and ", std::exchange(refusals_untold_, 0),
                               " refusals before it that were too many to be told one by one)"));
  }
  Tell(outcome);
}

}  // namespace cordon::agent
