#pragma once

#include <algorithm>
#include <cstdint>

#include "common/base/clock.h"

namespace cordon::controller {

// A rate with a burst. Not thread-safe. Pure but for the time that it is given.
class TokenBucket {
 public:
  struct Rate {
    double per_second = 0;
    double burst = 0;
  };

  TokenBucket(const Rate& rate, int64_t now_boot_nanos)
      : rate_(rate), tokens_(rate.burst), at_boot_nanos_(now_boot_nanos) {}

  // One that must not be exceeded: false, and nothing is taken, when there is not enough.
  bool Take(double tokens, int64_t now_boot_nanos) {
    Refill(now_boot_nanos);
    if (tokens_ < tokens) return false;
    tokens_ -= tokens;
    return true;
  }

  // What has been used already: takes it, into debt if need be. Nanoseconds until the debt is paid; 0 without
  // one.
  int64_t Spend(double tokens, int64_t now_boot_nanos) {
    Refill(now_boot_nanos);
    tokens_ -= tokens;
    if (tokens_ >= 0) return 0;
    return static_cast<int64_t>(-tokens_ / rate_.per_second * static_cast<double>(kNanosPerSecond));
  }

  bool Full(int64_t now_boot_nanos) const { return TokensAt(now_boot_nanos) >= rate_.burst; }

 private:
  double TokensAt(int64_t now_boot_nanos) const {
    if (now_boot_nanos <= at_boot_nanos_) return tokens_;
    const auto nanos = static_cast<double>(now_boot_nanos - at_boot_nanos_);
    return std::min(rate_.burst, tokens_ + nanos / static_cast<double>(kNanosPerSecond) * rate_.per_second);
  }
  void Refill(int64_t now_boot_nanos) {
    tokens_ = TokensAt(now_boot_nanos);
    at_boot_nanos_ = std::max(at_boot_nanos_, now_boot_nanos);
  }

  Rate rate_;
  double tokens_;
  int64_t at_boot_nanos_;
};

}  // namespace cordon::controller
