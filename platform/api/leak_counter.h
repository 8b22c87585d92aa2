#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>

#include "platform/api/packet_filter.h"

namespace cordon::platform {

// Counts the packets that a policy forbids and that passed all the same, while somebody had changed its rules
// (ISO-6). It stands apart from the rules and behind them, and changes nothing: it decides about no packet.
// Who removes it with the rules makes the number unknown, not zero. Not thread-safe; works in the network
// namespace of the thread that makes it.
class LeakCounter {
 public:
  virtual ~LeakCounter() = default;

  // Counts by `policy` from now on; kObserve: counts nothing and leaves nothing behind. Cheap when it does so
  // already, on every uplink that exists now.
  virtual absl::Status Follow(const FilterPolicy& policy) = 0;

  // Packets since the last call, or since Follow. FAILED_PRECONDITION when they cannot be told: another
  // policy or other uplinks were followed, or somebody changed or removed what counts.
  virtual absl::StatusOr<uint64_t> Take(const FilterPolicy& policy) = 0;
};

std::unique_ptr<LeakCounter> MakeLeakCounter();

}  // namespace cordon::platform
