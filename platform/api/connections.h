#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/network.h"
#include "platform/api/packet_filter.h"

namespace cordon::platform {

// One live socket of this host with a peer.
struct Connection {
  FlowProtocol protocol = FlowProtocol::kTcp;
  FlowDirection direction = FlowDirection::kOut;  // kIn: accepted on a listening port
  Endpoint local;
  Endpoint remote;
  bool agent_owned = false;  // carries the agent's tag (socket_tag.h)
  uint32_t uid = 0;
  uint64_t cookie = 0;  // the system's own name for the socket, for Reset
  uint32_t interface_index = 0;
  uint32_t program_tag =
      0;  // ProgramTag of the program that opened it (program_marks.h); 0 = none that is known
  uint64_t owner_key = 0;  // leads to the programs that hold it (socket_owners.h); 0 = none does
};

// The port of the side that accepts.
inline uint16_t AcceptingPort(const Connection& flow) {
  return flow.direction == FlowDirection::kIn ? flow.local.port : flow.remote.port;
}

// Loopback, or the host to its own address: no level cuts it.
inline bool StaysOnHost(const Connection& flow) {
  return flow.remote.address.is_loopback() || flow.remote.address == flow.local.address;
}

// Not thread-safe.
class ConnectionTable {
 public:
  virtual ~ConnectionTable() = default;

  // Connected TCP and UDP sockets, IPv4 and IPv6 (mapped addresses as IPv4), loopback included.
  virtual absl::StatusOr<std::vector<Connection>> List() = 0;

  // Ends the socket so that its program gets an error at once (ISO-2). NOT_FOUND when it is already gone.
  virtual absl::Status Reset(const Connection& connection) = 0;

  // Makes the kernel forget flows it tracks (connection tracking), so that no remembered flow outlives its
  // permit.
  virtual absl::Status ForgetTrackedFlows() = 0;
};

std::unique_ptr<ConnectionTable> MakeConnectionTable();

}  // namespace cordon::platform
