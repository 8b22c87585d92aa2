#pragma once

#include <absl/status/statusor.h>

#include <cstdint>

namespace cordon::ctl {

// The sequence of the next order (ISO-9): microseconds of the own clock, or one more than the newest order's
// when that is ahead. The newest one is only a controller's hint: FAILED_PRECONDITION when it is more than
// five minutes ahead, so that a captured controller cannot spend all numbers.
absl::StatusOr<uint64_t> NextSequence(int64_t now_unix_nanos, uint64_t newest_sequence);

}  // namespace cordon::ctl
