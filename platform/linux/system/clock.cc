#include "common/base/clock.h"

#include <ctime>

#include "platform/api/system.h"

namespace cordon::platform {
namespace {

int64_t Read(clockid_t id) {
  timespec time{};
  clock_gettime(id, &time);  // cannot fail for these clocks
  return int64_t{time.tv_sec} * kNanosPerSecond + time.tv_nsec;
}

class SystemClock final : public Clock {
 public:
  int64_t WallNanos() const override { return Read(CLOCK_REALTIME); }
  int64_t BootNanos() const override { return Read(CLOCK_BOOTTIME); }
};

}  // namespace

std::unique_ptr<Clock> MakeSystemClock() {
  return std::make_unique<SystemClock>();
}

}  // namespace cordon::platform
