#include <absl/status/status.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "controller/server/authorize.h"
#include "controller/server/bounds.h"
#include "controller/server/operator_calls.h"

namespace cordon::controller {
namespace {

constexpr uint32_t kMaxPage = 1'000;
constexpr size_t kMaxReason = 1'000;

// By order, as far as the host could say it: it took an order to go dark and was not heard of under it since,
// or dark was what it was ordered when it was last heard (from under a level that somebody had unlocked).
bool IsDark(const HostRecord& host) {
  const bool heard_since = host.receipt.order_id() == host.going_dark_order_id;
  if (!host.going_dark_order_id.empty() && !heard_since) return true;
  return host.receipt.intended_level() == v1::LEVEL_DARK;
}

v1::HostState StateOf(const HostRecord& host, bool connected) {
  if (host.revoked) return v1::HOST_STATE_REVOKED;
  if (connected) return v1::HOST_STATE_CONNECTED;
  return IsDark(host) ? v1::HOST_STATE_DARK : v1::HOST_STATE_OFFLINE;
}

v1::Host ToHost(HostRecord record, const Sessions& sessions) {
  v1::Host host;
  const std::optional<SessionBeat> beat = sessions.LastBeat(record.host_id);
  host.set_host_id(record.host_id);
  host.set_state(StateOf(record, beat.has_value()));
  *host.mutable_facts() = std::move(record.facts);
  host.set_site(record.site);
  for (v1::Label& label : record.labels) *host.add_labels() = std::move(label);
  host.set_last_seen_unix_nanos(std::max(record.last_seen_unix_nanos, beat ? beat->time_unix_nanos : 0));
  host.set_enrolled_unix_nanos(record.enrolled_unix_nanos);
  if (record.receipt.read_back_time_unix_nanos() != 0) *host.mutable_receipt() = std::move(record.receipt);
  host.set_acknowledged_sequence(record.acknowledged_sequence);
  host.set_certificate_pem(std::move(record.certificate_pem));
  host.set_certificate_not_after_unix_nanos(record.certificate.not_after_unix_nanos);
  for (v1::HostNotice& notice : record.notices) *host.add_notices() = std::move(notice);
  return host;
}

// Absent and `all` both mean every host.
const v1::Target* Selection(bool present, const v1::Target& target) {
  return present && !target.all() ? &target : nullptr;
}

absl::StatusOr<std::vector<v1::Host>> LiveHosts(ServerParts& parts, const v1::Target* target) {
  std::vector<v1::Host> hosts;
  std::string token;
  do {
    CORDON_ASSIGN_OR_RETURN(HostPage page, parts.store.ListHosts(target, kMaxPage, token));
    for (HostRecord& host : page.hosts) {
      if (!host.revoked) hosts.push_back(ToHost(std::move(host), parts.sessions));
    }
    token = std::move(page.next_page_token);
  } while (!token.empty());
  return hosts;
}

}  // namespace

std::string ShortText(const v1::Target& target) {
  return Printable(target.ShortDebugString().substr(0, 1'000));
}

absl::Status GetFleetInfo(ServerParts& parts, v1::GetFleetResponse* response) {
  CORDON_ASSIGN_OR_RETURN(Fleet fleet, parts.store.GetFleet());
  CORDON_ASSIGN_OR_RETURN(const uint64_t newest, parts.store.NewestOrderSequence());
  response->set_fleet_id(fleet.fleet_id);
  response->set_organisation(fleet.organisation);
  response->set_controller_version(CORDON_VERSION);
  *response->mutable_trust_bundle() = std::move(fleet.trust_bundle);
  response->set_newest_sequence(newest);
  for (const std::string& controller : parts.options.controllers) response->add_controllers(controller);
  response->set_ca_pem(parts.pki.CaPem());
  return absl::OkStatus();
}

absl::Status ListHosts(ServerParts& parts, const v1::ListHostsRequest& request,
                       v1::ListHostsResponse* response) {
  if (request.page_size() > kMaxPage) {
    return absl::InvalidArgumentError(StrCat("page_size is ", request.page_size(), ", not 0 to ", kMaxPage));
  }
  CORDON_RETURN_IF_ERROR(CheckSelection(request.target()));
  const uint32_t page_size = request.page_size() == 0 ? kMaxPage : request.page_size();
  CORDON_ASSIGN_OR_RETURN(HostPage page,
                          parts.store.ListHosts(Selection(request.has_target(), request.target()), page_size,
                                                request.page_token()));
  for (HostRecord& host : page.hosts) *response->add_hosts() = ToHost(std::move(host), parts.sessions);
  response->set_next_page_token(page.next_page_token);
  return absl::OkStatus();
}

absl::Status RevokeHost(ServerParts& parts, const Identity& caller, const v1::RevokeHostRequest& request) {
  if (!IsUuid(request.host_id())) return absl::InvalidArgumentError("host_id is not a UUID");
  if (request.reason().empty() || !IsPlainText(request.reason(), kMaxReason)) {
    return absl::InvalidArgumentError("reason is required: text of at most 1000 bytes");
  }
  CORDON_RETURN_IF_ERROR(CheckCallerMay(parts, caller, v1::TrustedOperator::ROLE_ISOLATE));
  CORDON_ASSIGN_OR_RETURN(const std::vector<v1::OrderOutcome> cancelled,
                          parts.store.RevokeHost(request.host_id(), {ActorName(caller), "host.revoke",
                                                                     request.host_id(), request.reason()}));
  for (const v1::OrderOutcome& outcome : cancelled) parts.outcomes.Publish(outcome);
  spdlog::warn("host {} was revoked by {}", request.host_id(), ActorName(caller));
  parts.streams.EndOf(request.host_id(),
                      {grpc::StatusCode::PERMISSION_DENIED, "the host was revoked by an operator"});
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::Host>> HostsForHealthPoll(ServerParts& parts, const Identity& caller,
                                                         const v1::PollHealthRequest& request) {
  CORDON_RETURN_IF_ERROR(CheckPollHealth(request));
  CORDON_RETURN_IF_ERROR(
      parts.store.AppendAudit({ActorName(caller), "health.poll", "hosts", ShortText(request.target())}));
  return LiveHosts(parts, Selection(request.has_target(), request.target()));
}

absl::StatusOr<std::vector<v1::Host>> HostsForRehearsal(ServerParts& parts, const Identity& caller,
                                                        const v1::RehearseRequest& request) {
  CORDON_RETURN_IF_ERROR(CheckRehearse(request));
  CORDON_RETURN_IF_ERROR(parts.store.AppendAudit(
      {ActorName(caller), "isolate.rehearse", "hosts",
       StrCat(v1::Level_Name(request.action().level()), " on ", ShortText(request.target()))}));
  return LiveHosts(parts, Selection(request.has_target(), request.target()));
}

}  // namespace cordon::controller
