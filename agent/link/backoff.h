#pragma once

#include <chrono>
#include <cstdint>

namespace cordon::agent {

struct BackoffSettings {
  std::chrono::nanoseconds first = std::chrono::seconds(1);
  std::chrono::nanoseconds cap = std::chrono::seconds(60);
};

// Exponential with full jitter: evenly spread over [0, min(cap, first · 2^failures)], so that thousands of
// hosts that lost one controller do not come back in one wave. `random`: any 64 random bits.
std::chrono::nanoseconds BackoffDelay(const BackoffSettings& settings, uint32_t failures, uint64_t random);

// The same with random bits of the system's generator.
std::chrono::nanoseconds BackoffDelay(const BackoffSettings& settings, uint32_t failures);

}  // namespace cordon::agent
