#include "agent/scan/pace.h"

#include <algorithm>

namespace cordon::agent {
namespace {

constexpr double kHigh = 0.20;
constexpr double kLow = 0.10;

double Share(const std::optional<int64_t>& before, const std::optional<int64_t>& now, int64_t elapsed) {
  if (!before.has_value() || !now.has_value() || elapsed <= 0) return 0;
  return static_cast<double>(*now - *before) / static_cast<double>(elapsed);
}

}  // namespace

double PaceMaker::Stall(const platform::LoadReadings& readings, int64_t elapsed) const {
  return std::max({Share(before_->cpu_stall_nanos, readings.cpu_stall_nanos, elapsed),
                   Share(before_->io_stall_nanos, readings.io_stall_nanos, elapsed),
                   Share(before_->memory_stall_nanos, readings.memory_stall_nanos, elapsed)});
}

Pace PaceMaker::Working(const platform::LoadReadings& readings) const {
  const bool slow = forced_ || readings.on_battery.value_or(false) || readings.user_active.value_or(false);
  return slow ? Pace::kSlow : Pace::kFull;
}

Pace PaceMaker::Next(const platform::LoadReadings& readings, int64_t now) {
  if (before_.has_value() && now - read_at_ < kStepNanos) return pace_;
  const double stall = before_.has_value() ? Stall(readings, now - read_at_) : 0;
  if (now >= trusted_until_) forced_ = false;
  if (!resting_ && stall > kHigh && now >= trusted_until_) {
    resting_ = true;
    resting_since_ = now;
  } else if (resting_ && stall < kLow) {
    resting_ = false;
    trusted_until_ = now + kTrustNanos;
  } else if (resting_ && now - resting_since_ >= kMostRestNanos) {
    resting_ = false;
    forced_ = true;
    trusted_until_ = now + kTrustNanos;
  }
  before_ = readings;
  read_at_ = now;
  pace_ = resting_ ? Pace::kRest : Working(readings);
  return pace_;
}

}  // namespace cordon::agent
