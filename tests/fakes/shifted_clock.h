#pragma once

#include <atomic>
#include <chrono>

#include "common/base/clock.h"

namespace cordon::testing {

// Goes as the machine's does, and can be moved ahead. Thread-safe.
class ShiftedClock final : public Clock {
 public:
  int64_t WallNanos() const override { return WallNowNanos() + shift_; }
  int64_t BootNanos() const override {
    return std::chrono::steady_clock::now().time_since_epoch().count() + shift_;
  }

  void Advance(int64_t nanos) { shift_ += nanos; }

 private:
  std::atomic<int64_t> shift_ = 0;
};

}  // namespace cordon::testing
