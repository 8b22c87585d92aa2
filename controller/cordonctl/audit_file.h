#pragma once

// The audit log outside of the controller: one JSON object per line, names as in the proto, hashes in
// hexadecimal. The last line is the log's signed state at its end, with the trust bundle that names the key.

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

struct AuditEnd {
  v1::SignedCheckpoint checkpoint;
  std::string trust_bundle;  // serialised; what it is worth is for the reader to say
};

std::string FormatAuditEnd(const AuditEnd& end);
bool IsAuditEnd(std::string_view line);
absl::StatusOr<AuditEnd> ParseAuditEnd(std::string_view line);

}  // namespace cordon::ctl
