#pragma once

// How busy the machine and its user are, for work that is to stay out of the way.

#include <cstdint>
#include <memory>
#include <optional>

namespace cordon::platform {

struct LoadReadings {
  // Nanoseconds since boot in which something had to wait for a processor, for storage, or for memory;
  // whoever it was. Updated every two seconds. Nothing: the system does not tell.
  std::optional<int64_t> cpu_stall_nanos;
  std::optional<int64_t> io_stall_nanos;
  std::optional<int64_t> memory_stall_nanos;
  std::optional<bool> on_battery;   // nothing: it has no battery, or does not tell
  std::optional<bool> user_active;  // somebody is at the machine; nothing: it cannot be told
};

// One thread at a time.
class LoadMeter {
 public:
  virtual ~LoadMeter() = default;
  // Takes a second at most.
  virtual LoadReadings Read() = 0;
};

std::unique_ptr<LoadMeter> MakeLoadMeter();

}  // namespace cordon::platform
