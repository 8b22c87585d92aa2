#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <unordered_set>
#include <vector>

#include "common/base/clock.h"
#include "platform/api/connections.h"
#include "platform/api/flow_source.h"

namespace cordon::platform {

// What is open at a moment, from the kernel's lists of sockets and /proc. Works in the network namespace of
// the thread that makes it. Not thread-safe.
class FlowSampler {
 public:
  FlowSampler();

  // Everything that is open and leaves the host; what was open at the last call as flows that go on.
  absl::StatusOr<std::vector<RawFlow>> Sample();

 private:
  const std::unique_ptr<ConnectionTable> connections_;
  const std::unique_ptr<Clock> clock_;
  std::unordered_set<uint64_t> open_before_;  // cookies
};

}  // namespace cordon::platform
