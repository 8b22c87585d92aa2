#pragma once

#include <cstdint>
#include <optional>

#include "platform/api/load_meter.h"

namespace cordon::agent {

enum class Pace : uint8_t {
  kFull,  // at the lowest priority, without a break
  kSlow,  // a third of the time
  kRest,  // not at all
};

// How a scan stays out of the way of people. Pure: from readings to a pace.
//
//   on battery, or somebody is at the machine       slow
//   something waits for more than 20 % of the time  rest, and look whether it still waits: what is then left
//   was
//                                                   not the scan's doing. Goes on when that is less than 10
//                                                   %.
//   after a minute of rest                          slow for 30 s all the same, so that it ends one day
//
// What is not told has no effect.
class PaceMaker {
 public:
  static constexpr int64_t kStepNanos = 4'000'000'000;  // readings that are nearer than this are passed over
  static constexpr int64_t kTrustNanos = 30'000'000'000;  // it was the scan: not looked at again for so long
  static constexpr int64_t kMostRestNanos = 60'000'000'000;

  // `now`: nanoseconds since boot.
  Pace Next(const platform::LoadReadings& readings, int64_t now_boot_nanos);

 private:
  Pace Working(const platform::LoadReadings& readings) const;
  // The largest share of time in which something waited since the reading before.
  double Stall(const platform::LoadReadings& readings, int64_t elapsed) const;

  std::optional<platform::LoadReadings> before_;
  int64_t read_at_ = 0;
  Pace pace_ = Pace::kFull;
  bool resting_ = false;
  int64_t resting_since_ = 0;
  int64_t trusted_until_ = 0;
  bool forced_ = false;  // it has rested for long enough
};

}  // namespace cordon::agent
