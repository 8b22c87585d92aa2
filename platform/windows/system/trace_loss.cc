#include "platform/windows/system/trace_loss.h"

#include <utility>

namespace cordon::platform {

std::optional<RawLoss> TraceLoss::Look(std::optional<uint64_t> lost, int64_t now) {
  if (!lost.has_value()) return std::nullopt;  // the next answer covers this time, too
  const uint64_t before = std::exchange(lost_, *lost);
  const int64_t since = std::exchange(last_look_, now);
  if (*lost <= before) return std::nullopt;
  return RawLoss{.count = *lost - before, .first_boottime_nanos = since, .last_boottime_nanos = now};
}

RawLoss TraceLoss::BeginAnew(int64_t now) {
  lost_ = 0;
  return {.count = 0, .first_boottime_nanos = std::exchange(last_look_, now), .last_boottime_nanos = now};
}

}  // namespace cordon::platform
