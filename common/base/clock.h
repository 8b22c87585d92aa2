#pragma once

#include <chrono>
#include <cstdint>

namespace cordon {

// Where code asks for the time, so that tests can set it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Nanoseconds since 1970-01-01 UTC. Can be set back by anybody with the right to.
  virtual int64_t WallNanos() const = 0;

  // Nanoseconds since the machine booted, suspended time included. Cannot be set (ISO-8).
  virtual int64_t BootNanos() const = 0;
};

// Wall time for code that needs no boot-time clock.
inline int64_t WallNowNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

inline constexpr int64_t kNanosPerMilli = 1'000'000;
inline constexpr int64_t kNanosPerSecond = 1'000'000'000;

}  // namespace cordon
