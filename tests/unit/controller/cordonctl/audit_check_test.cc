#include "controller/cordonctl/audit_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "common/crypto/digest.h"
#include "common/crypto/ed25519.h"
#include "common/wire/audit_checkpoint.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_fleet.h"

namespace cordon::ctl {
namespace {

using testing::Fails;
using testing::IsOk;
using testing::Must;

constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

// A log of three entries, and its end as its controller signs it.
class AuditCheckTest : public ::testing::Test {
 protected:
  AuditCheckTest() {
    std::string previous(32, '\0');
    for (uint64_t i = 1; i <= 3; ++i) {
      v1::AuditEntry& entry = log_.emplace_back();
      entry.set_index(i);
      entry.set_actor("controller");
      entry.set_previous_hash(previous);
      entry.set_hash(previous = AuditHash(entry));
    }
    v1::TrustBundle bundle;
    bundle.ParseFromString(fleet_.Trust().bundle());
    bundle.set_audit_log_public_key(Must(RawPublicKey(*key_)));
    trust_bundle_ = bundle.SerializeAsString();
  }

  // Of the log's first `size` entries.
  AuditEnd EndAt(size_t size) const {
    v1::AuditCheckpoint checkpoint;
    MerkleWalk tree;
    for (size_t i = 0; i < size; ++i) tree.Add(log_[i].hash());
    checkpoint.set_fleet_id(fleet_.FleetId());
    checkpoint.set_size(size);
    checkpoint.set_root_sha256(tree.Root());
    return {Must(SignCheckpoint(checkpoint, *key_)), trust_bundle_};
  }
  AuditCheck Read(size_t entries) const {
    AuditCheck check(fleet_.FleetId(), Sha256(trust_bundle_));
    for (size_t i = 0; i < entries; ++i) Must(check.Next(log_[i]));
    return check;
  }

  testing::TestFleet fleet_;
  KeyPtr key_ = Must(NewSigningKey());
  std::string trust_bundle_;
  std::vector<v1::AuditEntry> log_;
};

TEST_F(AuditCheckTest, AWholeLogWithItsSignedEndIsGood) {
  AuditCheck check = Read(3);
  EXPECT_EQ(check.Signature(), AuditSignature::kNone);
  EXPECT_THAT(check.End(EndAt(3)), IsOk());
  EXPECT_EQ(check.Signature(), AuditSignature::kGood);
  EXPECT_EQ(check.Entries(), 3U);
  EXPECT_THAT(check.Next(log_[2]), Fails(kDataLoss, "behind the signed end"));
}

TEST_F(AuditCheckTest, AnEndThatWasCutOffIsFound) {
  EXPECT_THAT(Read(2).End(EndAt(3)), Fails(kDataLoss, "a log of 3 entries, and 2 are here"));
}

TEST_F(AuditCheckTest, ALogThatWasWrittenAnewFromAnEntryOnIsFound) {
  const AuditEnd end = EndAt(3);
  for (size_t i = 1; i < 3; ++i) {  // whole as a chain
    log_[i].set_actor("somebody");
    log_[i].set_previous_hash(log_[i - 1].hash());
    log_[i].set_hash(AuditHash(log_[i]));
  }
  EXPECT_THAT(Read(3).End(end), Fails(kDataLoss, "not those that the controller signed"));
}

TEST_F(AuditCheckTest, ASignatureIsWorthWhatTheTrustBundleIsWorth) {
  AuditCheck unpinned(fleet_.FleetId(), "");
  for (const v1::AuditEntry& entry : log_) Must(unpinned.Next(entry));
  EXPECT_THAT(unpinned.End(EndAt(3)), IsOk());
  EXPECT_EQ(unpinned.Signature(), AuditSignature::kUnpinned);

  AuditEnd forged = EndAt(3);
  forged.checkpoint.mutable_ed25519()->front() ^= 1;
  EXPECT_THAT(Read(3).End(forged), Fails(absl::StatusCode::kPermissionDenied, "not signed"));
}

TEST_F(AuditCheckTest, TheEndIsALineOfTheExport) {
  const AuditEnd end = EndAt(3);
  std::string line = FormatAuditEnd(end);
  line.pop_back();
  ASSERT_TRUE(IsAuditEnd(line));
  EXPECT_FALSE(IsAuditEnd(FormatAuditLine(log_[0])));
  const AuditEnd read = Must(ParseAuditEnd(line));
  EXPECT_EQ(read.checkpoint.SerializeAsString(), end.checkpoint.SerializeAsString());
  EXPECT_EQ(read.trust_bundle, end.trust_bundle);
  EXPECT_FALSE(ParseAuditEnd(line.substr(0, line.size() / 2)).ok());
  EXPECT_FALSE(ParseAuditEnd(R"({"checkpoint":"zz","ed25519":"","trust_bundle":""})").ok());
}

}  // namespace
}  // namespace cordon::ctl
