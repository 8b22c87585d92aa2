#include "common/wire/scan_report.h"

#include <gtest/gtest.h>

#include "common/base/uuid.h"
#include "common/crypto/ecdsa.h"
#include "tests/support/test_fleet.h"

namespace cordon::testing {
namespace {

class SignedScanReport : public ::testing::Test {
 protected:
  SignedScanReport() : leaf_(fleet_.Issue(IdentityKind::kHost, host_id_)) {
    key_ = Must(PrivateKeyFromPem(leaf_.key_pem));
    report_.set_host_id(host_id_);
    report_.set_order_id("order");
    report_.set_findings(3);
    progress_.set_report(report_.SerializeAsString());
    Must(SignScanReport(*key_, &progress_));
  }

  absl::StatusOr<v1::ScanReport> Verify(const v1::ScanProgress& progress,
                                        const std::string& order_id = "order") const {
    return VerifyScanReport(progress, host_id_, order_id, leaf_.certificate_pem, fleet_.CaPem());
  }

  const std::string host_id_ = NewUuid();
  TestFleet fleet_;
  TestFleet::Leaf leaf_;
  KeyPtr key_;
  v1::ScanReport report_;
  v1::ScanProgress progress_;
};

TEST_F(SignedScanReport, IsBelievedAndNothingBesideIt) {
  progress_.set_findings(0);
  const auto said = Verify(progress_);
  ASSERT_TRUE(said.ok()) << said.status();
  EXPECT_EQ(said->findings(), 3U);
}

TEST_F(SignedScanReport, IsRefusedWhenAnythingOfItWasMadeByAnother) {
  ASSERT_TRUE(Verify(progress_).ok()) << "the positive control";
  v1::ScanProgress unsigned_report = progress_;
  unsigned_report.clear_report_signature();
  v1::ScanProgress altered = progress_;
  report_.set_findings(0);
  altered.set_report(report_.SerializeAsString());
  v1::ScanProgress by_other_key = altered;
  Must(SignScanReport(*Must(NewTlsKey()), &by_other_key));
  v1::ScanProgress of_other_host = altered;
  report_.set_host_id(NewUuid());
  of_other_host.set_report(report_.SerializeAsString());
  Must(SignScanReport(*key_, &of_other_host));
  v1::ScanProgress another_purpose = progress_;
  another_purpose.set_report_signature(Must(SignEcdsa(kReceiptDomain, progress_.report(), *key_)));
  for (const v1::ScanProgress& progress :
       {unsigned_report, altered, by_other_key, of_other_host, another_purpose}) {
    EXPECT_EQ(Verify(progress).status().code(), absl::StatusCode::kPermissionDenied)
        << progress.ShortDebugString();
  }
  EXPECT_EQ(Verify(progress_, "another order").status().code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace cordon::testing
