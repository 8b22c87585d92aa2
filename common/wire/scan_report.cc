#include "common/wire/scan_report.h"

#include <utility>

#include "common/base/status.h"
#include "common/crypto/ecdsa.h"
#include "common/wire/host_signature.h"

namespace cordon {
namespace {

absl::Status Unverified(std::string_view why) {
  return absl::PermissionDeniedError(StrCat("the scan's report is not verified: ", why));
}

}  // namespace

absl::Status SignScanReport(EVP_PKEY& key, v1::ScanProgress* progress) {
  CORDON_ASSIGN_OR_RETURN(std::string signature, SignEcdsa(kScanReportDomain, progress->report(), key));
  progress->set_report_signature(std::move(signature));
  return absl::OkStatus();
}

absl::StatusOr<v1::ScanReport> VerifyScanReport(const v1::ScanProgress& progress, std::string_view host_id,
                                                std::string_view order_id, std::string_view certificate_pem,
                                                std::string_view ca_pem) {
  CORDON_RETURN_IF_ERROR(VerifyHostSignature(
      {.domain = kScanReportDomain, .statement = progress.report(), .signature = progress.report_signature()},
      "the scan's report", host_id, certificate_pem, ca_pem));
  v1::ScanReport report;
  if (!report.ParseFromString(progress.report())) return Unverified("it cannot be read");
  if (report.host_id() != host_id) return Unverified("it is another host's");
  if (report.order_id() != order_id) return Unverified("it is of another order");
  return report;
}

}  // namespace cordon
