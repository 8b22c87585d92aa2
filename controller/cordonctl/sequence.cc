#include "controller/cordonctl/sequence.h"

#include <algorithm>

#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::ctl {
namespace {

constexpr uint64_t kMaxAheadMicros = 5ULL * 60 * 1'000'000;
constexpr uint64_t kLongestShownMicros = 3650ULL * 24 * 3600 * 1'000'000;

}  // namespace

absl::StatusOr<uint64_t> NextSequence(int64_t now_unix_nanos, uint64_t newest_sequence) {
  if (now_unix_nanos <= 0) {
    return absl::FailedPreconditionError("this machine's clock is before 1970: set it");
  }
  const uint64_t now = static_cast<uint64_t>(now_unix_nanos) / 1'000;
  if (newest_sequence > now && newest_sequence - now > kMaxAheadMicros) {
    const uint64_t ahead = std::min(newest_sequence - now, kLongestShownMicros);
    return absl::FailedPreconditionError(StrCat(
        "the controller names an order that was signed ", FormatDuration(static_cast<int64_t>(ahead) * 1'000),
        " ahead of this machine's clock (", FormatTime(now_unix_nanos),
        "), so a new one would have no effect. Set this clock right if it is behind; if it is right, the "
        "controller or an operator's machine is wrong: see 'cordonctl orders'"));
  }
  return std::max(now, newest_sequence + 1);
}

}  // namespace cordon::ctl
