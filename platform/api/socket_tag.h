#pragma once

#include <absl/status/status.h>

namespace cordon::platform {

// Marks a socket as the agent's own, before it connects: the packet filter's permit for the controller is
// bound to this tag. Linux: SO_MARK with kAgentSocketMark (needs CAP_NET_ADMIN). Windows: no-op, the permit
// names the program and its service.
absl::Status TagAgentSocket(int socket);

}  // namespace cordon::platform
