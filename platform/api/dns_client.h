#pragma once

#include <absl/status/status.h>

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cordon::platform {

// The system's own DNS client, which resolves for programs, where the packet filter cannot turn what is sent
// to port 53 to the guard and the client has to be told whom to ask (Windows). What it was told outlives the
// agent. Not thread-safe; each call may take some milliseconds.
class DnsClient {
 public:
  virtual ~DnsClient() = default;

  // Where the guard has to listen so that the client can ask it; the more of the addresses the better. The
  // client takes no other port.
  virtual std::vector<boost::asio::ip::address> GuardAddresses() const = 0;
  virtual uint16_t GuardPort() const = 0;

  // For every name the client asks `guards` (some of GuardAddresses, not empty) and nobody else, and has
  // forgotten what it knew. Does nothing when that is so. On an error it may ask them or not; call it again.
  virtual absl::Status Turn(const std::vector<boost::asio::ip::address>& guards) = 0;

  // The client asks whom it would ask without the agent. Does nothing when that is so.
  virtual absl::Status TurnBack() = 0;

  // What keeps the client, or a part of the names, from being asked of the guard although it was turned; one
  // sentence each, for an operator.
  virtual std::vector<std::string> Obstacles() = 0;
};

// nullptr where the packet filter turns port 53 (Linux).
std::unique_ptr<DnsClient> MakeDnsClient();

}  // namespace cordon::platform
