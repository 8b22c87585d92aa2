#pragma once

// What the controller does for a host. `host_id` is always the certificate's (AUT-2). All wait for the store:
// from a worker, never from gRPC's own threads.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/crypto/x509.h"
#include "controller/server/server_parts.h"
#include "cordon/v1/gateway.pb.h"

namespace cordon::controller {

absl::Status Enroll(ServerParts& parts, const Identity& caller, const v1::EnrollRequest& request,
                    v1::EnrollResponse* response);

absl::Status Renew(ServerParts& parts, const Identity& caller, const v1::RenewRequest& request,
                   v1::RenewResponse* response);

// PERMISSION_DENIED for a host that is revoked, or that the store does not know.
absl::StatusOr<HostRecord> AdmitHost(ServerParts& parts, const std::string& host_id);

// A Control stream begins: admits the host. What it says of itself, and the certificate that it showed, when
// that is news and is to be stored.
absl::StatusOr<std::optional<ReportToRecord>> Greet(ServerParts& parts, const std::string& host_id,
                                                    const std::string& certificate_pem,
                                                    const v1::Hello& hello);

// Sends what the host should have and has not, and marks it delivered. `session` is dropped when that cannot
// be read; `send` is false when it has ended.
using SendOrderCallback = std::function<bool(const std::shared_ptr<const ControlMessage>& order)>;
void SendPendingOrders(ServerParts& parts, const std::string& host_id, const v1::Hello& hello,
                       SessionLink& session, const SendOrderCallback& send);

// Two runs of one identity: an agent that restarted, or a clone (design.md §8).
void ReportSecondSession(ServerParts& parts, const std::string& host_id, bool cloned);

// Where a Telemetry stream goes on; admits the host.
absl::StatusOr<v1::TelemetryPosition> TelemetryPositionOf(ServerParts& parts, const std::string& host_id);

}  // namespace cordon::controller
