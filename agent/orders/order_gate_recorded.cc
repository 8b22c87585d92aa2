// Orders of the lanes that the gate records itself: policies and scans.

#include <utility>

#include "agent/orders/order_checks.h"
#include "agent/orders/order_gate.h"
#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {
namespace {

using Outcome = v1::OrderOutcome;

Outcome::State StateOf(v1::ScanProgress::State state) {
  switch (state) {
    case v1::ScanProgress::STATE_DONE:
      return Outcome::STATE_DONE;
    case v1::ScanProgress::STATE_CANCELLED:
      return Outcome::STATE_CANCELLED;
    case v1::ScanProgress::STATE_FAILED:
      return Outcome::STATE_FAILED;
    default:
      return Outcome::STATE_RUNNING;
  }
}

}  // namespace

void OrderGate::HandleRecorded(const v1::Order& order, const v1::SignedOrder& signed_order) {
  const std::string_view lane = LaneOf(order);
  const absl::StatusOr<std::optional<LaneRecord>> last = parts_.lanes.Read(lane);
  if (!last.ok()) {
    Tell(MakeOutcome(order.order_id(), Outcome::STATE_FAILED, Message(last.status())));
    return;
  }
  const LaneRecord none;
  const LaneRecord& before = last->has_value() ? **last : none;
  switch (CompareWithLane(order, before.sequence, before.order_id)) {
    case LaneAnswer::kOlder:
      Refuse(order.order_id(), Outcome::STATE_SUPERSEDED,
             before.order_id.empty()
                 ? "the record of earlier orders was damaged after this one was made; order it again"
                 : StrCat("a newer order came first: ", before.order_id));
      return;
    case LaneAnswer::kSame:
      if (before.outcome.state() == Outcome::STATE_UNSPECIFIED) {
        Execute(order, before);
      } else {
        parts_.on_outcome(before.outcome);
      }
      return;
    case LaneAnswer::kNewer:
      break;
  }
  const LaneRecord record{
      .sequence = order.sequence(), .order_id = order.order_id(), .outcome = {}, .order = signed_order};
  if (const absl::Status written = parts_.lanes.Write(lane, record);
      !written.ok()) {  // ISO-9: before the effect
    Tell(MakeOutcome(order.order_id(), Outcome::STATE_FAILED,
                     StrCat("nothing was done, since the order cannot be recorded: ", Message(written))));
    return;
  }
  Execute(order, record);
}

void OrderGate::Execute(const v1::Order& order, LaneRecord record) {
  record.outcome = Run(order);
  absl::Status written = parts_.lanes.Write(LaneOf(order), record);
  if (written.ok() && record.outcome.state() == Outcome::STATE_RUNNING) {
    written = WriteScanOutcome(record.outcome);
  }
  if (!written.ok()) {
    record.outcome.set_message(StrCat(record.outcome.message(), record.outcome.message().empty() ? "" : "; ",
                                      "the outcome cannot be recorded: ", Message(written)));
  }
  Tell(record.outcome);
}

Outcome OrderGate::Run(const v1::Order& order) {
  const std::string& id = order.order_id();
  absl::Status status;
  Outcome::State good = Outcome::STATE_DONE;
  switch (order.action_case()) {
    case v1::Order::kPolicy:
      return RunPolicy(order);
    case v1::Order::kScan:
      status = parts_.handler.Scan(id, order.scan().spec());
      good = Outcome::STATE_RUNNING;
      break;
    case v1::Order::kCancelScan:
      status = parts_.handler.CancelScan(order.cancel_scan().scan_order_id());
      break;
    case v1::Order::kPauseScan: {
      const std::string& scan = order.pause_scan().scan_order_id();
      status = order.pause_scan().resume() ? parts_.handler.ResumeScan(scan) : parts_.handler.PauseScan(scan);
      break;
    }
    default:
      status = absl::UnimplementedError("this version of the agent does not know the order");  // AUT-4
  }
  return MakeOutcome(id, status.ok() ? good : StateOf(status), Message(status));
}

Outcome OrderGate::RunPolicy(const v1::Order& order) {
  const absl::StatusOr<std::optional<v1::Policy>> before = parts_.lanes.ReadPolicy();
  if (!before.ok()) return MakeOutcome(order.order_id(), Outcome::STATE_FAILED, Message(before.status()));
  absl::Status status = parts_.handler.SetPolicy(&order.policy().policy());
  if (status.ok()) status = parts_.lanes.WritePolicy(order.policy().policy());
  if (status.ok()) return MakeOutcome(order.order_id(), Outcome::STATE_DONE, "");
  const absl::Status back = parts_.handler.SetPolicy(before->has_value() ? &**before : nullptr);
  return MakeOutcome(order.order_id(), StateOf(status),
                     StrCat(Message(status),
                            back.ok() ? "; the policy before it stays in force"
                                      : "; and the policy before it cannot be taken back: ",
                            back.ok() ? "" : Message(back)));
}

void OrderGate::OnScanProgress(v1::ScanProgress progress) {
  const Outcome::State state = StateOf(progress.state());
  if (state == Outcome::STATE_RUNNING) return;
  Outcome outcome = MakeOutcome(progress.order_id(), state, progress.message());
  *outcome.mutable_progress() = std::move(progress);
  RecordScan(std::move(outcome));
}

void OrderGate::OnScanRefused(const std::string& order_id, std::string_view why) {
  RecordScan(MakeOutcome(order_id, Outcome::STATE_REFUSED, why));
}

void OrderGate::RecordScan(Outcome outcome) {
  if (const absl::Status recorded = WriteScanOutcome(outcome); !recorded.ok()) {
    outcome.set_message(StrCat(outcome.message(), outcome.message().empty() ? "" : "; ",
                               "cannot be recorded: ", Message(recorded)));
  }
  Tell(outcome);
  // Also of one that cannot be recorded: the host must be free for the next scan.
  parts_.handler.EndScan(outcome.order_id());
}

// The lane has forgotten the scan when another order of it came since, a pause say; its own record has not.
absl::Status OrderGate::WriteScanOutcome(const Outcome& outcome) {
  CORDON_RETURN_IF_ERROR(parts_.lanes.Write(
      kScanJob, {.sequence = 0, .order_id = outcome.order_id(), .outcome = outcome, .order = {}}));
  CORDON_ASSIGN_OR_RETURN(std::optional<LaneRecord> record, parts_.lanes.Read(kScanLane));
  if (!record.has_value() || record->order_id != outcome.order_id()) return absl::OkStatus();
  record->outcome = outcome;
  return parts_.lanes.Write(kScanLane, *record);
}

}  // namespace cordon::agent
