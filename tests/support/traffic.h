#pragma once

// One packet or connection from one network namespace to another, judged on the receiving side.

#include <chrono>
#include <memory>
#include <string>

#include "platform/linux/system/fd.h"
#include "tests/support/net_namespace.h"

namespace cordon::testing {

// How long the receiving side waits. Generous where arrival is expected; where it is not, a little more than
// a packet takes here.
inline constexpr std::chrono::milliseconds kExpectArrival(3'000);
inline constexpr std::chrono::milliseconds kExpectNothing(120);

// Where a packet goes: `address` is one of `at`'s.
struct Destination {
  const NetNamespace& at;
  std::string address;
  uint16_t port = 0;
};

// A datagram from an ordinary socket in `from`. `source_port` 0 = any; `mark` 0 = none.
bool UdpArrives(const NetNamespace& from, const Destination& to, std::chrono::milliseconds patience,
                uint16_t source_port = 0, uint32_t mark = 0);

// A connection from `from`: true when the other side can accept it.
bool TcpArrives(const NetNamespace& from, const Destination& to, std::chrono::milliseconds patience,
                uint32_t mark = 0);

// An echo request; true when the answer came back.
bool EchoReturns(const NetNamespace& from, const Destination& to, std::chrono::milliseconds patience);

// A UDP datagram that is handed to the interface as a frame, past the IP stack of `from`.
struct Frame {
  std::string interface;
  std::string source;
  bool bypass_qdisc = false;  // PACKET_QDISC_BYPASS
};
bool FrameArrives(const NetNamespace& from, const Frame& frame, const Destination& to,
                  std::chrono::milliseconds patience);

// An open TCP connection.
class Established {
 public:
  // Throws when it cannot be opened.
  Established(const NetNamespace& from, const Destination& to, uint32_t mark = 0);

  // Whether a byte written at one end comes out at the other.
  bool Reaches(bool towards_destination, std::chrono::milliseconds patience);

  // Whether the end in `from` (or the other one) has been told that the connection is dead.
  bool EndIsDead(bool destination_end) const;

 private:
  platform::Fd opened_;
  platform::Fd accepted_;
};

}  // namespace cordon::testing
