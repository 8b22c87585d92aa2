#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "cordon/v1/gateway.pb.h"

namespace cordon {

inline constexpr size_t kMaxEnrollmentFileBytes = 64 * 1024;

// The armoured text of `file`; sets `check`.
std::string WriteEnrollmentFile(v1::EnrollmentFile file);

// INVALID_ARGUMENT, naming the field, for text that is cut, altered, of another kind or out of bounds. Does
// not judge the expiry: the caller has the clock.
absl::StatusOr<v1::EnrollmentFile> ReadEnrollmentFile(std::string_view text);

}  // namespace cordon
