#include "agent/link/backoff.h"

#include <algorithm>

#include "common/crypto/random.h"

namespace cordon::agent {

std::chrono::nanoseconds BackoffDelay(const BackoffSettings& settings, uint32_t failures, uint64_t random) {
  std::chrono::nanoseconds ceiling = settings.first;
  for (uint32_t i = 0; i < failures && ceiling < settings.cap; ++i) ceiling *= 2;
  ceiling = std::min(ceiling, settings.cap);
  const double share = static_cast<double>(random >> 11) * 0x1.0p-53;  // [0, 1)
  return std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(ceiling.count()) * share));
}

std::chrono::nanoseconds BackoffDelay(const BackoffSettings& settings, uint32_t failures) {
  uint64_t random = 0;
  for (const char byte : RandomBytes(sizeof(random))) random = random << 8 | static_cast<unsigned char>(byte);
  return BackoffDelay(settings, failures, random);
}

}  // namespace cordon::agent
