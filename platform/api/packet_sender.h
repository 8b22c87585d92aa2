#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/network.h"
#include "platform/api/packet_filter.h"

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

  // The first packet of a flow to somebody who is there and shall not notice: this host's rules judge it like
  // any other, and whoever receives it throws it away unread, because its checksum is wrong (over ICMPv6,
  // whose checksums the system makes, an ordinary echo request). `mark`: of the socket, as a program's would
  // have it (program_marks.h); 0 = none. kNotPossible for broadcast addresses, and where the system lets
  // nobody make such a packet (Windows).
  virtual SendOutcome Dud(FlowProtocol protocol, const Endpoint& to, uint32_t mark) = 0;
};

std::unique_ptr<PacketSender> MakePacketSender();

}  // namespace cordon::platform
