#pragma once

// The audit log outside of the controller: one JSON object per line, names as in the proto, hashes in
// hexadecimal.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "cordon/v1/operator.pb.h"

namespace cordon::ctl {

inline constexpr size_t kMaxAuditLineBytes = 256 * 1024;

// With a line break at its end.
std::string FormatAuditLine(const v1::AuditEntry& entry);

// INVALID_ARGUMENT, naming the field, for anything but such a line.
absl::StatusOr<v1::AuditEntry> ParseAuditLine(std::string_view line);

}  // namespace cordon::ctl
