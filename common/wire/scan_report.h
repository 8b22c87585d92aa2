#pragma once

// Signed reports of scans: what a scan ended with, in the host's own words.

#include <absl/status/statusor.h>

#include <string_view>

#include "common/crypto/key.h"
#include "cordon/v1/scan.pb.h"

namespace cordon {

// Sets report_signature over the report that `progress` has.
absl::Status SignScanReport(EVP_PKEY& key, v1::ScanProgress* progress);

// What the host `host_id` signed, and nothing else of `progress`. PERMISSION_DENIED as VerifyHostSignature,
// or when the report is another host's or of another order.
absl::StatusOr<v1::ScanReport> VerifyScanReport(const v1::ScanProgress& progress, std::string_view host_id,
                                                std::string_view order_id, std::string_view certificate_pem,
                                                std::string_view ca_pem);

}  // namespace cordon
