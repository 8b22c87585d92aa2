#pragma once

// Live tests of what is enforced, as the isolation module asks for them.

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/network.h"
#include "platform/api/packet_filter.h"

namespace cordon::agent {

// Proves the agent's own channel under what the kernel enforces now (ISO-4). Implemented over the link.
class ChannelProbe {
 public:
  virtual ~ChannelProbe() = default;

  // Makes a round trip to a controller that starts after this call (a heartbeat and its answer, on the
  // standing or on a new connection) and calls `done` once, on the agent loop and never from inside Prove: OK
  // when the answer came, an error that says why not after at most some 15 s, counted from when the agent's
  // link runs. Not at all when the agent ends first.
  virtual void Prove(std::function<void(absl::Status)> done) = 0;
};

// One packet that is tried.
struct ProbePacket {
  enum class Kind : uint8_t { kUdp, kTcpSyn, kFrame };
  Kind kind = Kind::kUdp;
  Endpoint target;
  std::string interface;  // kFrame: out of this one
  friend bool operator==(const ProbePacket&, const ProbePacket&) = default;
};

// The first packet of a flow that must be able to leave.
struct AllowedPacket {
  platform::FlowProtocol protocol = platform::FlowProtocol::kTcp;
  Endpoint target;
  uint32_t program_tag = 0;  // as of a socket of that program; 0 = of no program in particular
  friend bool operator==(const AllowedPacket&, const AllowedPacket&) = default;
};

// Shows what this host's rules do to single packets.
class EscapeProbe {
 public:
  enum class Outcome { kBlocked, kLeft, kNotPossible };

  virtual ~EscapeProbe() = default;

  // A packet that must not leave, from an ordinary, untagged socket. Waits for nothing.
  virtual Outcome TryToSend(const ProbePacket& packet) = 0;

  // One that must not be blocked. Its destination notices nothing, whether it is there or not. Waits for
  // nothing.
  virtual Outcome TryAllowed(const AllowedPacket& packet) = 0;
};

std::unique_ptr<EscapeProbe> MakeEscapeProbe();

// Has somebody outside send one packet to this host. Implemented over the link, by the controller.
class InboundProbe {
 public:
  struct Attempt {
    platform::FlowProtocol protocol = platform::FlowProtocol::kTcp;
    std::vector<uint16_t> ports;  // of this host, to be tried in order until one is free; empty = any
  };
  struct Result {
    enum class Outcome { kArrived, kDidNotArrive, kNotPossible };
    Outcome outcome = Outcome::kNotPossible;
    Endpoint local;                       // where it was awaited; the address is unspecified
    boost::asio::ip::address controller;  // from where it was to come
  };

  virtual ~InboundProbe() = default;

  // Listens on an untagged socket, asks for one packet and waits some seconds. `done` once, on the agent loop
  // and never from inside Try.
  virtual void Try(const Attempt& attempt, std::function<void(const Result&)> done) = 0;
};

}  // namespace cordon::agent
