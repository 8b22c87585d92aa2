#pragma once

// The pure half: sock_diag messages from and to bytes.

#include <linux/inet_diag.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "platform/api/connections.h"

namespace cordon::platform {

// One socket of the kernel's list. A remote port of 0: it listens, or is not connected.
struct DiagSocket {
  Connection connection;
  bool listening = false;
};

// A socket out of the payload of a SOCK_DIAG_BY_FAMILY answer; nothing when it is cut short or of another
// family.
std::optional<DiagSocket> ParseDiagSocket(const void* payload, size_t bytes, FlowProtocol protocol,
                                          uint32_t agent_mark);

// Connected sockets, with `direction` set: kIn where a listening (TCP) or unconnected (UDP) socket owns the
// local port.
std::vector<Connection> ConnectionsOf(const std::vector<DiagSocket>& sockets);

// The kernel's name for the socket.
inet_diag_req_v2 DestroyRequest(const Connection& connection);

}  // namespace cordon::platform
