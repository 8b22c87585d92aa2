#pragma once

// What the controller does for an operator. `caller` is the certificate's identity (AUT-2). All wait for the
// store: from a worker, never from gRPC's own threads. What changes something, or reads evidence, is in the
// audit log.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

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

}  // namespace cordon::controller
