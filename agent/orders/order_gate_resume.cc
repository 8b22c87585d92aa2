// What a start makes of the orders that are on disk.

#include <utility>

#include "agent/orders/order_checks.h"
#include "agent/orders/order_gate.h"
#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {

using Outcome = v1::OrderOutcome;

void OrderGate::Resume() {
  if (!trust_.Lane().order_id().empty()) TellTrustInForce();
  ResumeIsolation();
  const std::string scan = ResumeScanJob();
  for (const std::string_view lane : kRecordedLanes) ResumeLane(lane, scan);
}

// Its order is in force: the state is on disk before the effect, and was restored at this start (ISO-5, 9).
void OrderGate::ResumeIsolation() {
  const std::string order_id = parts_.handler.IsolationLane().order_id();
  if (!order_id.empty()) Tell(MakeDone(order_id, parts_.handler.IsolationReceipt()));
}

std::string OrderGate::ResumeScanJob() {
  absl::StatusOr<std::optional<LaneRecord>> record = parts_.lanes.Read(kScanJob);
  // Of an agent that kept no such record. ResumeLane tells of one that cannot be read.
  if (record.ok() && !record->has_value()) record = parts_.lanes.Read(kScanLane);
  if (!record.ok() || !record->has_value()) return "";
  const std::string& order_id = (*record)->order_id;
  if ((*record)->outcome.state() == Outcome::STATE_RUNNING) {
    const absl::Status found = parts_.handler.FindScan(order_id);
    if (!absl::IsNotFound(found) && !absl::IsDataLoss(found)) return "";  // it goes on
    RecordScan(MakeOutcome(order_id, Outcome::STATE_FAILED,
                           StrCat("the agent lost the scan's place, so it was not done; order it again (",
                                  Message(found), ")")));
  } else if ((*record)->sequence == 0) {
    // A crash may have come before this was told, or before the host forgot the scan.
    RecordScan((*record)->outcome);
  } else {
    return "";  // of the lane, which ResumeLane tells of
  }
  return order_id;
}

void OrderGate::ResumeLane(std::string_view lane, const std::string& scan_told) {
  const absl::StatusOr<std::optional<LaneRecord>> record = parts_.lanes.Read(lane);
  if (!record.ok()) {
    // Without an order it is no message of Control's, which would end with it.
    TellByEvent(MakeOutcome("", Outcome::STATE_FAILED, Message(record.status())));
    return;
  }
  if (!record->has_value() || (*record)->order_id.empty()) return;
  if ((*record)->outcome.state() != Outcome::STATE_UNSPECIFIED) {
    if ((*record)->order_id != scan_told) Tell((*record)->outcome);
    return;
  }
  if (IsPolicyInForce((*record)->order)) {
    LaneRecord done = **record;
    done.outcome = MakeOutcome(done.order_id, Outcome::STATE_DONE, "");
    Conclude(lane, std::move(done));
    return;
  }
  const absl::StatusOr<v1::Order> order = Verify((*record)->order);
  if (!order.ok()) {
    RefuseRecorded(lane, **record, {Outcome::STATE_REFUSED, std::string(Message(order.status()))});
    return;
  }
  // What had begun in its time goes on.
  const bool begun = order->has_scan() && parts_.handler.FindScan(order->order_id()).ok();
  const auto refusal = CheckForHost(*order, host_, parts_.clock.WallNanos(), kClockSlackNanos);
  if (refusal.has_value() && !begun) {
    RefuseRecorded(lane, **record, *refusal);
  } else {
    Execute(*order, **record);
  }
}

// The crash came when its policy was on disk and what became of it was not: the host has begun with it, and
// no time that has passed since takes that back.
bool OrderGate::IsPolicyInForce(const v1::SignedOrder& signed_order) {
  v1::Order order;
  if (!order.ParseFromString(signed_order.order()) || !order.has_policy()) return false;
  const absl::StatusOr<std::optional<v1::Policy>> stored = parts_.lanes.ReadPolicy();
  return stored.ok() && stored->has_value() &&
         (*stored)->SerializeAsString() == order.policy().policy().SerializeAsString();
}

void OrderGate::RefuseRecorded(std::string_view lane, LaneRecord record, const Refusal& refusal) {
  record.outcome = MakeOutcome(record.order_id, refusal.state,
                               StrCat("a crash came before its effect, and at the next start it had none: ",
                                      Printable(refusal.message)));
  Conclude(lane, std::move(record));
}

// For good: the next start must not judge it again.
void OrderGate::Conclude(std::string_view lane, LaneRecord record) {
  if (const absl::Status written = parts_.lanes.Write(lane, record); !written.ok()) {
    record.outcome.set_message(StrCat(record.outcome.message(), record.outcome.message().empty() ? "" : "; ",
                                      "the outcome cannot be recorded: ", Message(written)));
  }
  Tell(record.outcome);
}

}  // namespace cordon::agent
