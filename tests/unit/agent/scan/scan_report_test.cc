#include "agent/scan/scan_report.h"

#include <gtest/gtest.h>

namespace cordon::agent {
namespace {

TEST(ScanReport, SaysWhatTheJobEndedWith) {
  SavedJob job{.order_id = "order", .roots = {{.path = "/a"}, {.path = "/b\xff"}}};
  job.baseline_before_sha256 = std::string(32, 'b');
  v1::ScanProgress progress;
  progress.set_state(v1::ScanProgress::STATE_DONE);
  progress.set_files_done(3);
  progress.set_bytes_done(9);
  progress.set_findings(1);
  progress.set_not_scanned_count(1);
  progress.add_not_scanned()->set_path("/dev");
  progress.set_baseline_sha256(std::string(32, 'a'));
  const v1::ScanReport report = MakeScanReport("host", job, progress, 7);
  EXPECT_EQ(report.host_id(), "host");
  EXPECT_EQ(report.order_id(), "order");
  EXPECT_EQ(report.state(), v1::ScanProgress::STATE_DONE);
  EXPECT_EQ(report.time_unix_nanos(), 7);
  EXPECT_EQ(report.files(), 3U);
  EXPECT_EQ(report.bytes(), 9U);
  EXPECT_EQ(report.findings(), 1U);
  EXPECT_EQ(report.not_scanned(0).path(), "/dev");
  EXPECT_EQ(report.baseline_before_sha256(), std::string(32, 'b'));
  EXPECT_EQ(report.baseline_sha256(), std::string(32, 'a'));
  ASSERT_EQ(report.roots_size(), 2);
  EXPECT_EQ(report.roots(1), "/b\\xff");
}

}  // namespace
}  // namespace cordon::agent
