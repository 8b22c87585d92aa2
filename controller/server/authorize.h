#pragma once

// Who may call what: the one place (AUT-2).

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "common/crypto/x509.h"

namespace cordon::controller {

// OK when a caller with this identity may call the method ("/cordon.v1.AgentGateway/Control") of the fleet's
// controller. PERMISSION_DENIED says what the certificate is, and what it may call.
absl::Status Authorize(const Identity& caller, std::string_view organisation, std::string_view method);

// "host/<id>", "operator/<id>", …: how the audit log names a caller.
std::string ActorName(const Identity& caller);

}  // namespace cordon::controller
