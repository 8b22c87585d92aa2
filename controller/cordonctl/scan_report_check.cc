#include "controller/cordonctl/scan_report_check.h"

#include "common/base/status.h"
#include "common/wire/scan_report.h"

namespace cordon::ctl {
namespace {

bool HasEnded(v1::OrderOutcome::State state) {
  return state == v1::OrderOutcome::STATE_DONE || state == v1::OrderOutcome::STATE_FAILED ||
         state == v1::OrderOutcome::STATE_CANCELLED;
}

void Take(const v1::ScanReport& report, v1::ScanProgress* progress) {
  progress->set_state(report.state());
  progress->set_files_done(report.files());
  progress->set_bytes_done(report.bytes());
  progress->set_findings(report.findings());
  progress->set_not_scanned_count(report.not_scanned_count());
  *progress->mutable_not_scanned() = report.not_scanned();
  progress->set_baseline_sha256(report.baseline_sha256());
}

}  // namespace

v1::OrderOutcome WithSignedReport(v1::OrderOutcome outcome, const v1::Host& host, const std::string& ca_pem) {
  if (!outcome.has_progress() || !HasEnded(outcome.state())) return outcome;
  const absl::StatusOr<v1::ScanReport> report = VerifyScanReport(
      outcome.progress(), host.host_id(), outcome.order_id(), host.certificate_pem(), ca_pem);
  if (report.ok()) {
    Take(*report, outcome.mutable_progress());
    return outcome;
  }
  outcome.mutable_progress()->Clear();
  outcome.set_message(
      StrCat(outcome.message(), outcome.message().empty() ? "" : "; ", Message(report.status())));
  return outcome;
}

bool LacksReport(const v1::OrderOutcome& outcome) {
  return outcome.state() == v1::OrderOutcome::STATE_DONE && outcome.has_progress() &&
         outcome.progress().report().empty();
}

}  // namespace cordon::ctl
