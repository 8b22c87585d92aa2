#include "controller/server/reports.h"

#include "common/base/status.h"
#include "common/wire/host_report.h"
#include "controller/server/bounds.h"

namespace cordon::controller {

absl::StatusOr<ReportToRecord> ReceiptReport(const std::string& host_id, const v1::Receipt& receipt) {
  CORDON_RETURN_IF_ERROR(CheckReceipt(receipt));
  ReportToRecord report;
  report.receipt = {host_id, receipt};
  return report;
}

absl::StatusOr<ReportToRecord> OutcomeReport(const std::string& host_id, const v1::OrderOutcome& outcome,
                                             int64_t now_unix_nanos) {
  CORDON_RETURN_IF_ERROR(CheckOutcome(outcome));
  ReportToRecord report;
  report.outcome = outcome;
  report.outcome.set_host_id(host_id);
  if (outcome.time_unix_nanos() == 0) report.outcome.set_time_unix_nanos(now_unix_nanos);
  return report;
}

absl::StatusOr<ReportToRecord> ProgressReport(const std::string& host_id, const v1::ScanProgress& progress,
                                              int64_t now_unix_nanos) {
  CORDON_RETURN_IF_ERROR(CheckProgress(progress));
  ReportToRecord report;
  report.outcome.set_order_id(progress.order_id());
  report.outcome.set_host_id(host_id);
  report.outcome.set_state(v1::OrderOutcome::STATE_RUNNING);
  report.outcome.set_time_unix_nanos(now_unix_nanos);
  *report.outcome.mutable_progress() = progress;
  return report;
}

}  // namespace cordon::controller
