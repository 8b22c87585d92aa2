#include "agent/scan/scan_report.h"

#include "agent/event/file_state.h"

namespace cordon::agent {

v1::ScanReport MakeScanReport(const std::string& host_id, const SavedJob& job,
                              const v1::ScanProgress& progress, int64_t time_unix_nanos) {
  v1::ScanReport report;
  report.set_host_id(host_id);
  report.set_order_id(job.order_id);
  report.set_state(progress.state());
  report.set_time_unix_nanos(time_unix_nanos);
  report.set_files(progress.files_done());
  report.set_bytes(progress.bytes_done());
  report.set_findings(progress.findings());
  report.set_not_scanned_count(progress.not_scanned_count());
  *report.mutable_not_scanned() = progress.not_scanned();
  report.set_baseline_before_sha256(job.baseline_before_sha256.value_or(""));
  report.set_baseline_sha256(progress.baseline_sha256());
  for (const ScanRoot& root : job.roots) report.add_roots(EventPath(root.path));
  return report;
}

}  // namespace cordon::agent
