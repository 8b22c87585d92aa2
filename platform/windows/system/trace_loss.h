#pragma once

// What a trace session lost, out of the number that it counts up. No Windows header: tested on every system.

#include <cstdint>
#include <optional>

#include "platform/api/process_source.h"

namespace cordon::platform {

// One thread at a time. Times are those of the boot-time clock.
class TraceLoss {
 public:
  void Begin(int64_t now) { last_look_ = now; }

  // `lost`: what the session has lost since it was opened; nothing when it does not answer. Gives what it
  // lost since the last look that it answered, and that time.
  std::optional<RawLoss> Look(std::optional<uint64_t> lost, int64_t now);

  // A new session counts from 0. What happened since the last look nobody knows: a loss without a count.
  RawLoss BeginAnew(int64_t now);

 private:
  uint64_t lost_ = 0;
  int64_t last_look_ = 0;
};

}  // namespace cordon::platform
