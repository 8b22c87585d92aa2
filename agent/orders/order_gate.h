#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/event/event_sink.h"
#include "agent/orders/audit_witness.h"
#include "agent/orders/lane_store.h"
#include "agent/orders/order_checks.h"
#include "agent/orders/order_handler.h"
#include "agent/orders/trust_chain.h"
#include "common/base/clock.h"
#include "common/wire/order.h"
#include "cordon/v1/gateway.pb.h"
#include "cordon/v1/order.pb.h"

namespace cordon::agent {

// Everything an order must pass before it has an effect on this host (AUT-3, AUT-4, ISO-9):
//   whole and within bounds · signed by enough operators of the trust bundle in force with the right role ·
//   for this fleet · for this host by its own name, site and labels · within its time · no lifeline against
//   it · with a controller's audit log beside it that goes on from what this host has seen · above the last
//   sequence of its lane.
// Changes of trust are taken whatever the log is: one of them gives another log its key.
// A change of trust is on disk before it counts, and judges every order after it.
// Each refusal has its own sentence, and changes nothing. An outcome leaves twice: by `on_outcome` at once,
// and as an event of class CONTROL; and again at each start, for a crash may have come before either was
// safe. Before a level that shuts the controller's way it is told that it is taken: what became of it comes
// when the host is reached again. On the agent loop only.
class OrderGate {
 public:
  struct Parts {
    const Clock& clock;
    EventSink& events;
    LaneStore& lanes;
    OrderHandler& handler;
    std::function<void(const v1::OrderOutcome&)> on_outcome;
    std::function<void()> on_trust;  // another trust bundle is in force; may be empty
    // Tells an outcome after which nothing may be heard of this host any more, and calls `then` when the
    // controller has it, or soon in any case. May be empty: then nothing is told before.
    std::function<void(const v1::OrderOutcome&, std::function<void()> then)> last_word = {};
  };

  // How far the clock of this host may be behind that of the operator.
  static constexpr int64_t kClockSlackNanos = 300 * kNanosPerSecond;
  // Refusals of one hour that become events; a captured controller cannot fill the spool with them. The rest
  // is answered, and counted in the next event.
  static constexpr int kRefusalEventsPerHour = 60;

  // `host`: its own id and name, site and labels of its enrolment file.
  OrderGate(HostTraits host, TrustChain& trust, AuditWitness& witness, Parts parts);

  // An order came, with what the controller says of its audit log. The very same order again is answered with
  // what became of it; an older one is SUPERSEDED.
  void Handle(const v1::SignedOrder& signed_order, const v1::AuditProof& audit);

  // Tries orders again that failed for what may pass: a full disk, too little memory. Later and later, until
  // it succeeds, the order's time passes or another one takes its place. To be called about every second.
  void Tick();

  // Progress of a scan that an order began; final states become the order's outcome.
  void OnScanProgress(v1::ScanProgress progress);
  // The scan's rules are bad: it did nothing.
  void OnScanRefused(const std::string& order_id, std::string_view why);

  // Once, when the handler is ready: gives effect to orders that were on disk when a crash came before their
  // effect, unless their time has passed meanwhile, and tells again what became of the newest order of each
  // lane: a controller takes the same word twice, but without any it takes the order for expired. A scan that
  // had begun is left to ScanRunner::ResumeInterrupted, which is to be called after this; one of which
  // nothing is left has failed.
  void Resume();

  // The policy to begin with; nothing: the host's defaults.
  absl::StatusOr<std::optional<v1::Policy>> StoredPolicy() { return parts_.lanes.ReadPolicy(); }

  // For Hello: the newest order per lane that has one, and the version of the trust bundle in force.
  std::vector<v1::LaneState> Lanes();
  uint64_t TrustVersion() const { return trust_.Version(); }
  const std::optional<v1::SignedCheckpoint>& AuditSeen() const { return witness_.Seen(); }

 private:
  absl::StatusOr<v1::Order> Verify(const v1::SignedOrder& signed_order) const;
  absl::Status Witness(const v1::AuditProof& audit);
  void Judge(const v1::SignedOrder& signed_order, const absl::Status& witnessed);
  void HandleVerified(const v1::Order& order, const v1::SignedOrder& signed_order);
  void HandleIsolation(const v1::Order& order, const v1::SignedOrder& signed_order);
  void IsolateNow(const v1::Order& order, const v1::SignedOrder& signed_order);
  void HandleTrust(const v1::Order& order, const v1::SignedOrder& signed_order);
  // FAILED: says so once, and Tick tries it again.
  void FailForNow(const v1::Order& order, const v1::SignedOrder& signed_order, std::string_view message);
  v1::LaneState LaneOfRetry(std::string_view lane);
  // Says that the newest change of trust has its effect.
  void TellTrustInForce();
  void HandleRecorded(const v1::Order& order, const v1::SignedOrder& signed_order);
  // `record` is on disk, without an outcome: gives the order its effect and records what became of it.
  void Execute(const v1::Order& order, LaneRecord record);
  v1::OrderOutcome Run(const v1::Order& order);
  v1::OrderOutcome RunPolicy(const v1::Order& order);
  void RecordScan(v1::OrderOutcome outcome);
  absl::Status WriteScanOutcome(const v1::OrderOutcome& outcome);
  // Parts of Resume, in order_gate_resume.cc.
  void ResumeIsolation();
  std::string ResumeScanJob();  // the order that it told of; empty: none
  void ResumeLane(std::string_view lane, const std::string& scan_told);
  void RefuseRecorded(std::string_view lane, LaneRecord record, const Refusal& refusal);
  bool IsPolicyInForce(const v1::SignedOrder& signed_order);
  void Conclude(std::string_view lane, LaneRecord record);

  v1::OrderOutcome MakeOutcome(const std::string& order_id, v1::OrderOutcome::State state,
                               std::string_view message) const;
  v1::OrderOutcome MakeDone(const std::string& order_id, const v1::Receipt& receipt) const;
  void Tell(const v1::OrderOutcome& outcome);
  void TellByEvent(const v1::OrderOutcome& outcome);
  // No effect: the answer, and an event within kRefusalEventsPerHour.
  void Refuse(const std::string& order_id, v1::OrderOutcome::State state, std::string_view message);

  static constexpr std::array kRecordedLanes = {kScanLane, kPolicyLane};
  // Beside the lanes: the scan that runs or ran last, whatever came in its lane since.
  static constexpr std::string_view kScanJob = "scan-job";

  const HostTraits host_;
  TrustChain& trust_;
  AuditWitness& witness_;
  const Parts parts_;
  // The newest order of a lane that failed, until it or a newer one has had its effect.
  struct Retry {
    v1::SignedOrder order;
    uint64_t sequence = 0;
    std::string order_id;
    int64_t due_boot_nanos = 0;
    int64_t delay_nanos = 0;
    uint64_t times_by_itself = 0;  // that the host had isolated itself when the order failed first
  };
  bool WouldOpenWhatIsNewer(const v1::Order& order, const Retry& retry) const;
  // One above `order`, of its lane; null: none.
  const Retry* RetryAbove(const v1::Order& order) const;
  // `order` has had its effect: neither it nor an older one is tried again.
  void ForgetRetries(const v1::Order& order);
  std::map<std::string, Retry, std::less<>> retries_;
  std::string going_dark_;  // the order whose last word is on its way
  int64_t refusal_hour_began_boot_nanos_;
  int refusals_told_ = 0;
  uint64_t refusals_untold_ = 0;
};

}  // namespace cordon::agent
