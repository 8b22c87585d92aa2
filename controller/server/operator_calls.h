#pragma once

// What the controller does for an operator. `caller` is the certificate's identity (AUT-2). All wait for the
// store: from a worker, never from gRPC's own threads. What changes something, or reads evidence, is in the
// audit log.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "common/crypto/x509.h"
#include "controller/server/server_parts.h"
#include "cordon/v1/operator.pb.h"

namespace cordon::controller {

absl::Status GetFleetInfo(ServerParts& parts, v1::GetFleetResponse* response);

// operator_hosts.cc
absl::Status ListHosts(ServerParts& parts, const v1::ListHostsRequest& request,
                       v1::ListHostsResponse* response);
absl::Status RevokeHost(ServerParts& parts, const Identity& caller, const v1::RevokeHostRequest& request);
// A target for the audit log, cut where it is long.
std::string ShortText(const v1::Target& target);
// The hosts that a health poll asks, revoked ones left out.
absl::StatusOr<std::vector<v1::Host>> HostsForHealthPoll(ServerParts& parts, const Identity& caller,
                                                         const v1::PollHealthRequest& request);
// The hosts that a rehearsal asks, revoked ones left out.
absl::StatusOr<std::vector<v1::Host>> HostsForRehearsal(ServerParts& parts, const Identity& caller,
                                                        const v1::RehearseRequest& request);

// operator_enrollments.cc
absl::Status CreateEnrollment(ServerParts& parts, const Identity& caller,
                              const v1::CreateEnrollmentRequest& request,
                              v1::CreateEnrollmentResponse* response);
absl::Status ListEnrollments(ServerParts& parts, v1::ListEnrollmentsResponse* response);
absl::Status RevokeEnrollment(ServerParts& parts, const Identity& caller,
                              const v1::RevokeEnrollmentRequest& request);

// operator_orders.cc
absl::Status SubmitOrder(ServerParts& parts, const Identity& caller, const v1::SubmitOrderRequest& request,
                         v1::SubmitOrderResponse* response);
absl::Status ListOrders(ServerParts& parts, const v1::ListOrdersRequest& request,
                        v1::ListOrdersResponse* response);
absl::Status GetOrder(ServerParts& parts, const v1::GetOrderRequest& request, v1::GetOrderResponse* response);
// Tells watchers what an order that has its signatures put out of force, and queues it for its hosts.
void SendToHosts(ServerParts& parts, const std::string& order_id, const SubmittedOrder& submitted);

// operator_audit.cc
absl::Status ListAudit(ServerParts& parts, const Identity& caller, const v1::ListAuditRequest& request,
                       v1::ListAuditResponse* response);

// operator_proposals.cc (AUT-3)
absl::Status ApproveOrder(ServerParts& parts, const Identity& caller, const v1::ApproveOrderRequest& request,
                          v1::ApproveOrderResponse* response);
absl::Status WithdrawOrder(ServerParts& parts, const Identity& caller,
                           const v1::WithdrawOrderRequest& request);

// operator_trust.cc (AUT-3)
absl::StatusOr<v1::TrustBundle> TrustInForce(ServerParts& parts);
// PERMISSION_DENIED unless the trust bundle in force names the caller: an operator who was removed keeps his
// certificate until it ends. Gives what the bundle says of him.
absl::StatusOr<v1::TrustedOperator> TrustedCaller(ServerParts& parts, const Identity& caller);
// The same, with this role: for what a certificate alone can do, without a signature (AUT-3).
absl::Status CheckCallerMay(ServerParts& parts, const Identity& caller, v1::TrustedOperator::Role role);
absl::Status GetTrustHistory(ServerParts& parts, const v1::GetTrustHistoryRequest& request,
                             v1::GetTrustHistoryResponse* response);
absl::Status IssueOperatorCertificate(ServerParts& parts, const Identity& caller,
                                      const v1::IssueOperatorCertificateRequest& request,
                                      v1::IssueOperatorCertificateResponse* response);

}  // namespace cordon::controller
