#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

namespace cordon::ctl {

// "1h" before `now`, or a time like 2026-11-24T03:55:01Z. INVALID_ARGUMENT for anything else.
absl::StatusOr<int64_t> ParseSince(const std::string& text, int64_t now_unix_nanos);

}  // namespace cordon::ctl
