#include "controller/server/host_calls.h"

#include <absl/status/status.h>
#include <spdlog/spdlog.h>

#include <optional>
#include <vector>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/wire/order.h"
#include "controller/server/authorize.h"
#include "controller/server/bounds.h"
#include "controller/store/host_notice.h"

namespace cordon::controller {
namespace {

CertificateRecord RecordOf(const IssuedCertificate& issued) {
  return {issued.serial_hex, issued.not_before_unix_nanos, issued.not_after_unix_nanos};
}

void MarkDelivered(ServerParts& parts, const std::string& host_id,
                   const std::vector<std::string>& order_ids) {
  std::vector<v1::OrderOutcome> outcomes;
  for (const std::string& order_id : order_ids) {
    v1::OrderOutcome& outcome = outcomes.emplace_back();
    outcome.set_order_id(order_id);
    outcome.set_host_id(host_id);
    outcome.set_state(v1::OrderOutcome::STATE_DELIVERED);
    outcome.set_time_unix_nanos(parts.clock.WallNanos());
  }
  for (v1::OrderOutcome& outcome : outcomes) {
    parts.reports.Add({{}, std::move(outcome), [](const absl::Status& /*logged by the queue*/) {}});
  }
}

// A change to a trust bundle that the host is past: one that was made before the host enrolled.
bool IsPast(const OrderRecord& record, uint64_t trust_version) {
  if (record.lane != kTrustLane || trust_version == 0) return false;
  v1::Order order;
  v1::TrustBundle bundle;
  return order.ParseFromString(record.signed_order.order()) &&
         bundle.ParseFromString(order.trust().bundle().bundle()) && bundle.version() <= trust_version;
}

void MarkSuperseded(ServerParts& parts, const std::string& host_id, const std::string& order_id,
                    const std::string& why) {
  v1::OrderOutcome outcome;
  outcome.set_order_id(order_id);
  outcome.set_host_id(host_id);
  outcome.set_state(v1::OrderOutcome::STATE_SUPERSEDED);
  outcome.set_message(why);
  outcome.set_time_unix_nanos(parts.clock.WallNanos());
  parts.reports.Add({{}, std::move(outcome), [](const absl::Status& /*logged by the queue*/) {}});
}

}  // namespace

absl::Status Enroll(ServerParts& parts, const Identity& caller, const v1::EnrollRequest& request,
                    v1::EnrollResponse* response) {
  CORDON_RETURN_IF_ERROR(CheckEnroll(request));
  if (caller.id != request.enrollment_id()) {
    return absl::PermissionDeniedError("the bootstrap certificate is of another enrolment");
  }
  const absl::StatusOr<std::string> key_sha256 = KeySha256OfCsr(request.csr_der());
  NewHost host;
  host.facts = request.facts();
  host.key_sha256 = key_sha256.value_or("");
  // AUT-6: before anything is signed or said of the request. EnrollHost judges again, with the use that it
  // takes.
  CORDON_ASSIGN_OR_RETURN(
      host.host_id, parts.store.CheckEnrollment(request.enrollment_id(), request.token(), host.key_sha256));
  CORDON_RETURN_IF_ERROR(key_sha256.status());
  CORDON_ASSIGN_OR_RETURN(const Fleet fleet, parts.store.GetFleet());
  if (host.host_id.empty()) host.host_id = NewUuid();
  IssuedCertificate issued;
  HostRecord enrolled;
  while (true) {  // at most twice: the same key may have enrolled meanwhile, and keeps that host
    CORDON_ASSIGN_OR_RETURN(issued, parts.pki.IssueHost(request.csr_der(), host.host_id));
    host.certificate = RecordOf(issued);
    CORDON_ASSIGN_OR_RETURN(enrolled, parts.store.EnrollHost(request.enrollment_id(), request.token(), host));
    if (enrolled.host_id == host.host_id) break;
    host.host_id = enrolled.host_id;
  }
  spdlog::info("host {} ({}) enrolled at site {}", enrolled.host_id, Printable(enrolled.facts.host_name()),
               enrolled.site);
  response->set_host_id(enrolled.host_id);
  response->set_certificate_pem(issued.pem);
  response->set_organisation(fleet.organisation);
  // The bundle that the file pins; the changes since then come with the host's first orders.
  CORDON_ASSIGN_OR_RETURN(*response->mutable_trust_bundle(),
                          parts.store.TrustOfEnrollment(request.enrollment_id()));
  return absl::OkStatus();
}

absl::Status Renew(ServerParts& parts, const Identity& caller, const v1::RenewRequest& request,
                   v1::RenewResponse* response) {
  CORDON_RETURN_IF_ERROR(parts.budgets.MayRenew(caller.id, parts.clock.BootNanos()));  // AUT-6
  CORDON_RETURN_IF_ERROR(AdmitHost(parts, caller.id).status());
  CORDON_ASSIGN_OR_RETURN(const IssuedCertificate issued, parts.pki.IssueHost(request.csr_der(), caller.id));
  CORDON_RETURN_IF_ERROR(parts.store.RenewCertificate(
      caller.id, RecordOf(issued),
      {ActorName(caller), "certificate.renew", caller.id, StrCat("serial ", issued.serial_hex)}));
  response->set_certificate_pem(issued.pem);
  return absl::OkStatus();
}

absl::StatusOr<HostRecord> AdmitHost(ServerParts& parts, const std::string& host_id) {
  absl::StatusOr<HostRecord> host = parts.store.GetHost(host_id);
  if (absl::IsNotFound(host.status())) {
    return absl::PermissionDeniedError(
        StrCat("host ", host_id, " is not known to this controller: enrol it again"));
  }
  if (host.ok() && host->revoked) {
    return absl::PermissionDeniedError(
        StrCat("host ", host_id, " is revoked: an operator must enrol it again"));
  }
  return host;
}

absl::StatusOr<std::optional<ReportToRecord>> Greet(ServerParts& parts, const std::string& host_id,
                                                    const std::string& certificate_pem,
                                                    const v1::Hello& hello) {
  CORDON_RETURN_IF_ERROR(CheckHello(hello));
  CORDON_ASSIGN_OR_RETURN(const HostRecord host, AdmitHost(parts, host_id));
  if (hello.has_receipt()) {
    parts.reports.Add({{host_id, hello.receipt()}, {}, [](const absl::Status& /*logged by the queue*/) {}});
  }
  // Written only when something has changed, and in one transaction with others': after an outage thousands
  // come back at once.
  if (host.facts.SerializeAsString() == hello.facts().SerializeAsString() &&
      host.certificate_pem == certificate_pem) {
    return std::nullopt;
  }
  ReportToRecord news;
  news.facts = {host_id, hello.facts(), certificate_pem};
  return news;
}

void SendPendingOrders(ServerParts& parts, const std::string& host_id, const v1::Hello& hello,
                       SessionLink& session, const SendOrderCallback& send) {
  const std::vector<v1::LaneState> lanes(hello.lanes().begin(), hello.lanes().end());
  const absl::StatusOr<std::vector<OrderRecord>> orders = parts.store.OrdersFor(host_id, lanes);
  if (!orders.ok()) {
    spdlog::error("cannot read the orders for host {}: {}", host_id, Message(orders.status()));
    session.Drop("the controller cannot read its store: connect again");
    return;
  }
  std::vector<std::string> delivered;
  for (const OrderRecord& order : *orders) {
    if (IsPast(order, hello.trust_version())) {
      MarkSuperseded(parts, host_id, order.order_id,
                     "the host has this trust bundle, or a newer one, from its enrolment");
      continue;
    }
    if (send(parts.orders.Of(order.order_id, order.signed_order))) delivered.push_back(order.order_id);
  }
  MarkDelivered(parts, host_id, delivered);
  const absl::StatusOr<std::vector<std::string>> overtaken = parts.store.OvertakenScans(host_id, lanes);
  if (!overtaken.ok()) return;  // the next session says it
  for (const std::string& order_id : *overtaken) {
    MarkSuperseded(parts, host_id, order_id, "the host had a newer order of the lane when this one came");
  }
}

void ServerParts::NameMisbehaviour(std::string_view kind, std::string_view action, const std::string& id,
                                   const std::string& what) {
  spdlog::warn("{} {}: {}", kind, id, what);
  workers.Post([this, action = std::string(action), id, what] {
    const absl::Status noted = store.AppendAudit({"controller", action, id, what});
    if (!noted.ok()) spdlog::error("cannot note it in the audit log: {}", Message(noted));
  });
}

void ReportSecondSession(ServerParts& parts, const std::string& host_id, bool cloned) {
  std::string what = cloned ? "a run of the agent that another one had replaced is back: two copies of "
                              "this identity live; revoke it, and "
                              "enrol the machines one by one"
                            : "a session of another run of the agent ended a live one: the agent "
                              "restarted, or its identity was cloned";
  if (cloned) {
    spdlog::error("host {}: {}", host_id, what);
  } else {
    spdlog::warn("host {}: {}", host_id, what);
  }
  // A host cannot fill the audit log by coming and going (AUT-6).
  const std::optional<uint64_t> untold =
      parts.budgets.MayNoteSession(host_id, cloned, parts.clock.BootNanos());
  if (!untold.has_value()) return;
  if (*untold > 0) StrAppend(&what, "; ", *untold, " more like this since it was noted last");
  const absl::Status noted = parts.store.AppendAudit(
      {StrCat("host/", host_id), std::string(cloned ? kClonedSession : kSecondSession), host_id, what});
  if (!noted.ok()) spdlog::error("cannot note it in the audit log: {}", Message(noted));
}

absl::StatusOr<v1::TelemetryPosition> TelemetryPositionOf(ServerParts& parts, const std::string& host_id) {
  CORDON_RETURN_IF_ERROR(AdmitHost(parts, host_id).status());
  CORDON_ASSIGN_OR_RETURN(const ChainPosition known, parts.store.PositionOf(host_id));
  v1::TelemetryPosition position;
  position.set_chain_id(known.chain_id);
  position.set_acknowledged_sequence(known.acknowledged_sequence);
  position.set_last_hash(known.last_hash);
  for (const ChainSegment& segment : known.ahead) {
    v1::Segment& ahead = *position.add_ahead();
    ahead.set_first_sequence(segment.first_sequence);
    ahead.set_last_sequence(segment.last_sequence);
    ahead.set_last_hash(segment.last_hash);
  }
  return position;
}

}  // namespace cordon::controller
