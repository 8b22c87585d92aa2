#include "common/wire/audit_checkpoint.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/base/strings.h"
#include "common/crypto/ed25519.h"
#include "common/wire/merkle.h"
#include "tests/support/audit_log.h"
#include "tests/support/status_matchers.h"

namespace cordon {
namespace {

using testing::AuditLog;
using testing::Fails;
using testing::IsOk;
using testing::Must;

constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
constexpr auto kForked = absl::StatusCode::kDataLoss;

TEST(AuditCheckpoint, ReadsBackWhatWasSigned) {
  AuditLog log("fleet");
  log.Grow(3);
  const v1::AuditCheckpoint read = Must(VerifyCheckpoint(log.Checkpoint(3), log.PublicKey(), "fleet"));
  EXPECT_EQ(read.size(), 3U);
  EXPECT_EQ(read.root_sha256(), log.Root(3));
}

TEST(AuditCheckpoint, AUT3_IsRefusedWhenAnythingOfItIsNotTheLogs) {
  AuditLog log("fleet");
  log.Grow(3);
  const v1::SignedCheckpoint good = log.Checkpoint(3);
  const auto verdict = [&](const v1::SignedCheckpoint& checkpoint) {
    return VerifyCheckpoint(checkpoint, log.PublicKey(), "fleet").status();
  };
  ASSERT_THAT(verdict(good), IsOk());
  for (size_t i = 0; i < good.checkpoint().size(); ++i) {
    v1::SignedCheckpoint bad = good;
    bad.mutable_checkpoint()->at(i) ^= 4;
    EXPECT_THAT(verdict(bad), Fails(kDenied, "not signed by the key")) << i;
  }
  for (size_t i = 0; i < good.ed25519().size(); ++i) {
    v1::SignedCheckpoint bad = good;
    bad.mutable_ed25519()->at(i) ^= 4;
    EXPECT_THAT(verdict(bad), Fails(kDenied, "not signed by the key")) << i;
  }
  v1::SignedCheckpoint large = good;
  large.mutable_checkpoint()->append(2'000, 'x');
  EXPECT_THAT(verdict(large), Fails(kDenied, "too large"));
  EXPECT_THAT(VerifyCheckpoint(good, AuditLog("fleet").PublicKey(), "fleet").status(),
              Fails(kDenied, "not signed by the key"));
  EXPECT_THAT(VerifyCheckpoint(good, log.PublicKey(), "other").status(), Fails(kDenied, "another fleet's"));
  // Signed, and still nothing that a log can be.
  v1::AuditCheckpoint odd;
  odd.set_fleet_id("fleet");
  EXPECT_THAT(verdict(log.Sign(odd)), Fails(kDenied, "size is out of bounds"));
  odd.set_size(kMaxMerkleSize + 1);
  EXPECT_THAT(verdict(log.Sign(odd)), Fails(kDenied, "size is out of bounds"));
  odd.set_size(1);
  EXPECT_THAT(verdict(log.Sign(odd)), Fails(kDenied, "root is not 32 bytes"));
  // A signature for another purpose is none.
  v1::SignedCheckpoint order = good;
  order.set_ed25519(Must(Sign(kOrderDomain, good.checkpoint(), log.Key())));
  EXPECT_THAT(verdict(order), Fails(kDenied, "not signed by the key"));
}

TEST(AuditProof, TheFirstCheckpointIsBelievedAndLaterOnesMustGoOn) {
  AuditLog log("fleet");
  log.Grow(40);
  std::optional<v1::AuditCheckpoint> seen;
  for (const uint64_t size : {7U, 7U, 8U, 20U, 33U, 40U}) {
    const v1::AuditProof proof = log.Proof(seen ? seen->size() : 0, size);
    seen = Must(JudgeAuditProof(proof, seen, log.PublicKey(), "fleet"));
    EXPECT_EQ(seen->size(), size);
  }
}

TEST(AuditProof, AUT3_EachRefusalHasItsOwnSentence) {
  AuditLog log("fleet");
  log.Grow(20);
  const v1::AuditCheckpoint seen = Must(VerifyCheckpoint(log.Checkpoint(12), log.PublicKey(), "fleet"));
  const auto verdict = [&](const v1::AuditProof& proof) {
    return JudgeAuditProof(proof, seen, log.PublicKey(), "fleet").status();
  };
  ASSERT_THAT(verdict(log.Proof(12, 20)), IsOk());
  EXPECT_THAT(verdict({}), Fails(absl::StatusCode::kNotFound, "did not say where its audit log stands"));
  EXPECT_THAT(verdict(log.Proof(0, 9)),
              Fails(absl::StatusCode::kOutOfRange, "was rolled back (seen: 12 entries"));
  EXPECT_THAT(verdict(log.Proof(0, 20)), Fails(kForked, "does not show that its audit log goes on"));
  EXPECT_THAT(verdict(log.Proof(11, 20)), Fails(kForked, "its proof is from entry 11"));
  AuditLog fork = log.ForkAt(5);
  EXPECT_THAT(verdict(fork.Proof(12, 20)), Fails(kForked, "was forked"));
  EXPECT_THAT(verdict(fork.Proof(0, 12)), Fails(kForked, "same size has another root"));
  EXPECT_THAT(verdict(fork.Proof(0, 11)), Fails(absl::StatusCode::kOutOfRange, "rolled back"));
}

}  // namespace
}  // namespace cordon
