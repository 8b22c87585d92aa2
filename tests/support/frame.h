#pragma once

// Ethernet frames made by hand, sent past the IP stack and caught on the other side.

#include <chrono>
#include <cstdint>
#include <string>

#include "platform/linux/system/fd.h"
#include "tests/support/net_namespace.h"

namespace cordon::testing {

using Bytes = std::string;

// Integers in network order.
Bytes Be16(uint16_t value);
Bytes Be32(uint32_t value);

// A frame from 02:… to everybody.
Bytes Ethernet(uint16_t type, const Bytes& payload);

struct Ip {
  std::string from;
  std::string to;
  uint8_t hops = 64;  // time to live, or hop limit
};

// Packets with right lengths and checksums, in a frame; both addresses of one family. `protocol` as in IANA's
// list.
Bytes IpFrame(const Ip& ip, uint8_t protocol, const Bytes& payload, uint16_t v4_fragment = 0);
Bytes UdpFrame(const Ip& ip, uint16_t from_port, uint16_t to_port, const Bytes& payload = "packet");
Bytes TcpFrame(const Ip& ip, uint16_t from_port, uint16_t to_port, uint8_t flags);
Bytes Icmp6Frame(const Ip& ip, uint8_t type, const Bytes& body = Bytes(20, '\0'));

// Sends frames by an interface of a namespace.
class FrameSender {
 public:
  FrameSender(const NetNamespace& inside, const std::string& interface);
  void Send(const Bytes& frame) const;  // what the rules refuse is refused silently

 private:
  platform::Fd fd_;
  int index_ = 0;
};

// Catches what arrives at an interface: before the rules of its own namespace, so only for the far side.
class FrameCatcher {
 public:
  FrameCatcher(const NetNamespace& inside, const std::string& interface);
  // Whether this very frame arrives within `patience`; others are passed over.
  bool Catches(const Bytes& frame, std::chrono::milliseconds patience) const;

 private:
  platform::Fd fd_;
};

// Gets what the rules of its own namespace let in: the IP payloads of one protocol, by a raw socket.
class RawReceiver {
 public:
  RawReceiver(const NetNamespace& inside, bool v6, uint8_t protocol);
  // Whether a packet that ends with `payload` arrives within `patience`.
  bool Receives(const Bytes& payload, std::chrono::milliseconds patience) const;

 private:
  platform::Fd fd_;
};

}  // namespace cordon::testing
