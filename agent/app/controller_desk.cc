#include "agent/app/controller_desk.h"

#include <spdlog/spdlog.h>

#include "agent/app/host_facts.h"
#include "agent/app/lifecycle.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/system.h"

namespace cordon::agent {

v1::Hello ControllerDesk::MakeHello() {
  v1::Hello hello;
  v1::Receipt receipt = parts_.isolation.ReadReceipt();
  parts_.receipts.Set(receipt);
  *hello.mutable_receipt() = std::move(receipt);
  // As they are now: the agent starts before the network does.
  TellAddresses(platform::ReadSystemFacts().addresses, hello.mutable_facts());
  *hello.mutable_health() = health_->Report();
  for (v1::LaneState& lane : parts_.gate.Lanes()) *hello.add_lanes() = std::move(lane);
  hello.set_trust_version(parts_.gate.TrustVersion());
  if (parts_.gate.AuditSeen().has_value()) *hello.mutable_audit_checkpoint() = *parts_.gate.AuditSeen();
  return hello;
}

v1::Heartbeat ControllerDesk::MakeHeartbeat() {
  const v1::Receipt receipt = parts_.receipts.Get();
  v1::Heartbeat beat;
  beat.set_enforced_level(receipt.enforced_level());
  beat.set_containment(receipt.containment());
  beat.set_spool_events(parts_.spool.Stats().events);
  return beat;
}

void ControllerDesk::OnHealthPoll(const v1::HealthPoll& poll) {
  parts_.receipts.Set(parts_.isolation.ReadReceipt());
  const auto answer = [this, id = poll.poll_id()](v1::HealthReport report) {
    v1::HealthAnswer health;
    health.set_poll_id(id);
    *health.mutable_report() = std::move(report);
    link_->SendHealth(std::move(health));
  };
  if (poll.prove()) {
    health_->ProveAll(kProofDeadline, answer);
  } else {
    answer(health_->Report());
  }
}

void ControllerDesk::OnRehearsal(const v1::RehearsalRequest& request) {
  const auto answer = [link = link_, id = request.rehearsal_id()](absl::StatusOr<v1::Rehearsal> rehearsal) {
    v1::RehearsalAnswer message;
    message.set_rehearsal_id(id);
    if (rehearsal.ok()) {
      *message.mutable_rehearsal() = *std::move(rehearsal);
    } else {
      message.set_error(std::string(Message(rehearsal.status())));
    }
    link->SendRehearsal(std::move(message));
  };
  absl::StatusOr<platform::FilterPolicy> policy = parts_.isolation.Intended(request.action());
  if (policy.ok()) {
    rehearser_->Rehearse(request.action(), *std::move(policy), answer);
  } else {
    answer(policy.status());
  }
}

void ControllerDesk::OnControllerEndpoints(const std::vector<Endpoint>& endpoints) {
  parts_.isolation.SetControllers(endpoints);
  path_->SetControllers(endpoints);
}

void ControllerDesk::OnCertificateRenewed(int64_t not_after_unix_nanos) {
  // The session that is dialled next shows the new certificate, and its Hello is signed with the new key.
  if (const absl::Status status = parts_.signer.Reload(parts_.state_dir); !status.ok()) {
    spdlog::error("receipts are signed with the old key: {}", Message(status));
  }
  EmitLifecycle(parts_.events, parts_.clock, v1::AgentLifecycle::STATE_CERTIFICATE_RENEWED,
                StrCat("valid until ", FormatTime(not_after_unix_nanos)));
}

}  // namespace cordon::agent
