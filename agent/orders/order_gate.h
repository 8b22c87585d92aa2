#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/event/event_sink.h"
#include "agent/orders/audit_witness.h"
#include "agent/orders/lane_store.h"
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
// and as an event of class CONTROL. Before a level that shuts the controller's way it is told that it is
// taken: what became of it comes when the host is reached again. On the agent loop only.
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

  // Progress of a scan that an order began; final states become the order's outcome.
  void OnScanProgress(v1::ScanProgress progress);
  // The scan's rules are bad: it did nothing.
  void OnScanRefused(const std::string& order_id, std::string_view why);

  // Once, when the handler is ready: gives effect to orders that were on disk when a crash came before their
  // effect. A scan that had begun is left to ScanRunner::ResumeInterrupted, which is to be called after this.
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
  void HandleIsolation(const v1::Order& order);
  void IsolateNow(const v1::Order& order);
  void HandleTrust(const v1::Order& order, const v1::SignedOrder& signed_order);
  // Says that the change of trust has its effect, and remembers that it was said.
  void TellTrustInForce();
  void HandleRecorded(const v1::Order& order, const v1::SignedOrder& signed_order);
  // `record` is on disk, without an outcome: gives the order its effect and records what became of it.
  void Execute(const v1::Order& order, LaneRecord record);
  v1::OrderOutcome Run(const v1::Order& order);
  v1::OrderOutcome RunPolicy(const v1::Order& order);
  void RecordScan(v1::OrderOutcome outcome);

  v1::OrderOutcome MakeOutcome(const std::string& order_id, v1::OrderOutcome::State state,
                               std::string_view message) const;
  void Tell(const v1::OrderOutcome& outcome);
  void TellByEvent(const v1::OrderOutcome& outcome);
  // No effect: the answer, and an event within kRefusalEventsPerHour.
  void Refuse(const std::string& order_id, v1::OrderOutcome::State state, std::string_view message);

  const HostTraits host_;
  TrustChain& trust_;
  AuditWitness& witness_;
  const Parts parts_;
  std::string going_dark_;  // the order whose last word is on its way
  int64_t refusal_hour_began_boot_nanos_;
  int refusals_told_ = 0;
  uint64_t refusals_untold_ = 0;
};

}  // namespace cordon::agent
