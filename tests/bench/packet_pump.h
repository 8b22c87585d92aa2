#pragma once

// Packets that flow while something else happens, counted where they arrive.

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>

#include "platform/linux/system/fd.h"
#include "tests/support/net_namespace.h"

namespace cordon::testing {

struct PumpCounts {
  uint64_t sent = 0;        // that the rules before and after both allow, tried
  uint64_t lost = 0;        // of these, what did not arrive
  uint64_t forbidden = 0;   // that the rules before and after both forbid, tried
  uint64_t leaked = 0;      // of these, what arrived
  uint64_t overflowed = 0;  // packets that the receiver of the measurement was too slow for; not in `lost`
};

// UDP in both directions between two namespaces, without a pause, each way to a port that is allowed and one
// that is not.
class PacketPump {
 public:
  struct Side {
    const NetNamespace& inside;
    const char* address;
  };
  static constexpr uint16_t kAllowedPort = 5353;
  static constexpr uint16_t kForbiddenPort = 137;

  // Pumps from now on.
  PacketPump(const Side& host, const Side& peer);
  PacketPump(const PacketPump&) = delete;
  PacketPump& operator=(const PacketPump&) = delete;
  ~PacketPump();

  // Ends it, waits for what is under way, and counts.
  PumpCounts Stop();

 private:
  struct Flow {
    platform::Fd from;  // connected
    platform::Fd to;
    bool allowed = false;
    uint64_t tried = 0;
    uint64_t arrived = 0;
    uint32_t overflowed = 0;
  };
  void Open(const Side& from, const Side& to, uint16_t port);
  void Send();
  void Receive();
  static void TakeAll(Flow* flow);

  std::array<Flow, 4> flows_;
  size_t opened_ = 0;
  std::atomic<bool> sending_ = true;
  std::atomic<bool> receiving_ = true;
  std::thread sender_;
  std::thread receiver_;
};

}  // namespace cordon::testing
