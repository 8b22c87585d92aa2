#pragma once

#include <absl/status/status.h>

#include <functional>
#include <memory>

#include "common/base/network.h"
#include "platform/api/packet_filter.h"

namespace cordon::agent {

// Proves the agent's own channel under what the kernel enforces now (ISO-4). Implemented over the link.
class ChannelProbe {
 public:
  virtual ~ChannelProbe() = default;

  // Makes a round trip to a controller that starts after this call (a heartbeat and its answer, on the
  // standing or on a new connection) and calls `done` once, on the agent loop and never from inside Prove: OK
  // when the answer came, an error that says why not after at most some 15 s.
  virtual void Prove(std::function<void(absl::Status)> done) = 0;
};

// Tries to send a packet that must not leave.
class EscapeProbe {
 public:
  enum class Outcome { kBlocked, kLeft, kNoRoute };

  virtual ~EscapeProbe() = default;

  // One small UDP datagram to `target` from an ordinary, untagged socket.
  virtual Outcome TryToSend(const Endpoint& target) = 0;
};

std::unique_ptr<EscapeProbe> MakeEscapeProbe();

}  // namespace cordon::agent
