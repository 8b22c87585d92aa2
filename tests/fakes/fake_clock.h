#pragma once

#include <atomic>

#include "common/base/clock.h"

namespace cordon::testing {

// Stands still until told. Thread-safe.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(int64_t wall = 1'700'000'000 * kNanosPerSecond, int64_t boot = 1'000 * kNanosPerSecond)
      : wall_(wall), boot_(boot) {}

  int64_t WallNanos() const override { return wall_; }
  int64_t BootNanos() const override { return boot_; }

  // Time passes: both clocks move.
  void Advance(int64_t nanos) {
    wall_ += nanos;
    boot_ += nanos;
  }
  // Somebody sets the clock.
  void SetWall(int64_t nanos) { wall_ = nanos; }
  // The machine reboots: boot time starts anew.
  void Reboot() { boot_ = 0; }

 private:
  std::atomic<int64_t> wall_;
  std::atomic<int64_t> boot_;
};

}  // namespace cordon::testing
