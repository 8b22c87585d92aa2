// Baselines of hosts, as they signed them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/wire/scan_report.h"
#include "tests/support/store_box.h"

namespace cordon::controller {
namespace {

using ::testing::HasSubstr;
using testing::Must;
using testing::StoreBox;
using testing::TestFleet;
using v1::OrderOutcome;

class StoreBaselines : public ::testing::Test {
 protected:
  StoreBaselines() : leaf_(box_.Fleet().Issue(IdentityKind::kHost, host_)) {
    v1::HostFacts facts;
    facts.set_host_name("a");
    Must(box_->UpdateFacts(std::vector<HostNews>{{host_, facts, leaf_.certificate_pem}}));
  }

  // A scan began with one baseline and ended with another; what the store says of it.
  std::string Scan(const std::string& before, const std::string& after, const std::string& root = "/etc",
                   const std::string& signed_by = "") {
    const v1::Order order = box_.Scan({host_}, ++sequence_);
    Must(box_.Submit(order));
    v1::ScanReport report;
    report.set_host_id(host_);
    report.set_order_id(order.order_id());
    report.set_baseline_before_sha256(before);
    report.set_baseline_sha256(after);
    report.add_roots(root);
    OrderOutcome outcome = testing::Outcome(order.order_id(), host_, OrderOutcome::STATE_DONE);
    outcome.set_time_unix_nanos(1);  // by the host's clock
    outcome.mutable_progress()->set_report(report.SerializeAsString());
    const KeyPtr key = Must(PrivateKeyFromPem(signed_by.empty() ? leaf_.key_pem : signed_by));
    Must(SignScanReport(*key, outcome.mutable_progress()));
    Must(box_->RecordOutcomes({&outcome, 1}));
    return box_.OutcomeOn(order.order_id(), host_).message();
  }
  size_t Entries() {
    return static_cast<size_t>(std::ranges::count_if(
        box_.Audit(), [](const v1::AuditEntry& entry) { return entry.action() == "baseline.changed"; }));
  }

  StoreBox box_;
  const std::string host_ = box_.AddHost("a");
  TestFleet::Leaf leaf_;
  uint64_t sequence_ = 1;
};

TEST_F(StoreBaselines, OneThatGoesOnIsNoNews) {
  EXPECT_EQ(Scan("", "1"), "");
  EXPECT_EQ(Scan("1", "1"), "");
  EXPECT_EQ(Scan("1", "2"), "");  // made anew, by order
  EXPECT_EQ(Scan("2", "2"), "");
  EXPECT_EQ(Scan("", "other", "/home"), "");  // of other folders
  EXPECT_EQ(Entries(), 0U);
}

TEST_F(StoreBaselines, OneThatWasEditedOrSetBackIsSaidUntilThereIsANewOne) {
  Scan("", "1");
  Scan("1", "2");
  EXPECT_THAT(Scan("1", "1"), HasSubstr("BASELINE NOT TRUSTWORTHY"));
  EXPECT_THAT(Scan("1", "1"), HasSubstr("BASELINE NOT TRUSTWORTHY"));
  EXPECT_EQ(Scan("2", "2"), "");
  EXPECT_THAT(Scan("edited", "3"), HasSubstr("BASELINE WAS CHANGED"));
  EXPECT_EQ(Scan("3", "3"), "");
  EXPECT_THAT(Scan("", "4"), HasSubstr("BASELINE WAS GONE"));
  EXPECT_EQ(Scan("4", "4"), "");
  EXPECT_EQ(Entries(), 4U);
  for (const v1::AuditEntry& entry : box_.Audit()) {
    EXPECT_EQ(entry.time_unix_nanos(), box_.Time().WallNanos()) << "no host dates the controller's log";
  }
}

TEST_F(StoreBaselines, AReportThatTheHostDidNotSignCountsForNothing) {
  Scan("", "1");
  const std::string forger = box_.Fleet().Issue(IdentityKind::kHost, host_).key_pem;
  EXPECT_THAT(Scan("1", "2", "/etc", forger), HasSubstr("not signed by the key"));
  EXPECT_EQ(Scan("1", "1"), "");
}

}  // namespace
}  // namespace cordon::controller
