#pragma once

// What a host reports on Control, made ready for the store. Pure. The host is the certificate's, whatever the
// report says (AUT-2). INVALID_ARGUMENT: out of bounds.

#include <absl/status/statusor.h>

#include <string>

#include "controller/server/commit.h"
#include "cordon/v1/gateway.pb.h"

namespace cordon::controller {

absl::StatusOr<ReportToRecord> ReceiptReport(const std::string& host_id, const v1::Receipt& receipt);

absl::StatusOr<ReportToRecord> OutcomeReport(const std::string& host_id, const v1::OrderOutcome& outcome,
                                             int64_t now_unix_nanos);

// A scan that runs, as an outcome of its order.
absl::StatusOr<ReportToRecord> ProgressReport(const std::string& host_id, const v1::ScanProgress& progress,
                                              int64_t now_unix_nanos);

}  // namespace cordon::controller
