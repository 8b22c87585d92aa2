#pragma once

#include <memory>
#include <string>

#include "common/base/network.h"

namespace cordon::platform {

// What became of a packet as far as the sender is told.
enum class SendOutcome {
  kSent,         // no rule of the host stopped it
  kBlocked,      // the host's own rules stopped it
  kNotPossible,  // no route, no such address family, no right to it: says nothing of the rules
};

// Sends single packets to see whether they may leave (ISO-7), from ordinary sockets without the agent's tag,
// and waits for nothing (on Windows up to a quarter of a second for a verdict). Not thread-safe; sends in the
// network namespace of the calling thread.
class PacketSender {
 public:
  virtual ~PacketSender() = default;

  // A UDP datagram.
  virtual SendOutcome Udp(const Endpoint& to) = 0;
  // A TCP SYN, made by hand: of an ordinary connect nobody tells why its SYN went nowhere.
  virtual SendOutcome TcpSyn(const Endpoint& to) = 0;
  // A frame with an IPv4 UDP datagram straight out of `interface`, past routing and the IP stack's hooks, to
  // a hardware address that nobody has.
  virtual SendOutcome Frame(const std::string& interface, const Endpoint& to) = 0;
};

std::unique_ptr<PacketSender> MakePacketSender();

}  // namespace cordon::platform
