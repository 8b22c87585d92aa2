#include "common/wire/receipt.h"

#include <gtest/gtest.h>

#include <functional>

#include "common/base/uuid.h"
#include "common/crypto/ecdsa.h"
#include "tests/support/test_fleet.h"

namespace cordon::testing {
namespace {

class SignedReceipt : public ::testing::Test {
 protected:
  SignedReceipt() : leaf_(fleet_.Issue(IdentityKind::kHost, host_id_)) {
    key_ = Must(PrivateKeyFromPem(leaf_.key_pem));
    receipt_.set_enforced_level(v1::LEVEL_DARK);
    receipt_.set_containment(v1::CONTAINMENT_PARTIAL);
    receipt_.add_reasons("eth1 has no hooks");
    Must(SignReceipt(*key_, host_id_, &receipt_));
  }

  absl::StatusOr<v1::Receipt> Verify(const v1::Receipt& receipt) const {
    return VerifyReceipt(receipt, host_id_, leaf_.certificate_pem, fleet_.CaPem());
  }

  const std::string host_id_ = NewUuid();
  TestFleet fleet_;
  TestFleet::Leaf leaf_;
  KeyPtr key_;
  v1::Receipt receipt_;
};

TEST_F(SignedReceipt, ISO7_SaysWhatTheHostSigned) {
  const auto said = Verify(receipt_);
  ASSERT_TRUE(said.ok()) << said.status();
  EXPECT_EQ(said->containment(), v1::CONTAINMENT_PARTIAL);
  EXPECT_EQ(said->reasons(0), "eth1 has no hooks");
  EXPECT_EQ(said->host_id(), host_id_);
}

// Whoever changes the fields beside the statement changes nothing of what is believed.
TEST_F(SignedReceipt, ISO7_IsBelievedByItsStatementAlone) {
  v1::Receipt receipt = receipt_;
  receipt.set_containment(v1::CONTAINMENT_CONTAINED);
  receipt.clear_reasons();
  const auto said = Verify(receipt);
  ASSERT_TRUE(said.ok());
  EXPECT_EQ(said->containment(), v1::CONTAINMENT_PARTIAL);
}

TEST_F(SignedReceipt, ISO7_IsRefusedWhenAnythingOfItWasMadeByAnother) {
  ASSERT_TRUE(Verify(receipt_).ok()) << "the positive control";
  v1::Receipt better = receipt_;
  better.set_containment(v1::CONTAINMENT_CONTAINED);
  better.clear_signature();
  better.clear_statement();
  const KeyPtr other_key = Must(NewTlsKey());
  v1::Receipt by_other_key = better;
  Must(SignReceipt(*other_key, host_id_, &by_other_key));
  v1::Receipt of_other_host = better;
  Must(SignReceipt(*key_, NewUuid(), &of_other_host));
  v1::Receipt altered = receipt_;
  altered.set_statement(better.SerializeAsString());
  v1::Receipt another_purpose = receipt_;
  another_purpose.set_signature(Must(SignEcdsa("cordon-order-v1", receipt_.statement(), *key_)));
  v1::Receipt damaged = receipt_;
  (*damaged.mutable_signature())[10] ^= 1;
  for (const v1::Receipt& receipt :
       {better, by_other_key, of_other_host, altered, another_purpose, damaged}) {
    EXPECT_EQ(Verify(receipt).status().code(), absl::StatusCode::kPermissionDenied)
        << receipt.ShortDebugString();
  }
}

TEST_F(SignedReceipt, ISO7_NeedsThatHostsCertificateOfThisFleet) {
  const TestFleet other_fleet;
  const auto verify = [&](const std::string& certificate, const std::string& host_id) {
    return VerifyReceipt(receipt_, host_id, certificate, fleet_.CaPem()).status().code();
  };
  EXPECT_EQ(verify(leaf_.certificate_pem, host_id_), absl::StatusCode::kOk) << "the positive control";
  EXPECT_EQ(verify("", host_id_), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(verify("nonsense", host_id_), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(verify(leaf_.certificate_pem, NewUuid()), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(verify(fleet_.Issue(IdentityKind::kHost, host_id_).certificate_pem, host_id_),
            absl::StatusCode::kPermissionDenied)
      << "the same host's, of another key";
  EXPECT_EQ(verify(other_fleet.Issue(IdentityKind::kHost, host_id_).certificate_pem, host_id_),
            absl::StatusCode::kPermissionDenied);
}

// A certificate that has lapsed says nothing against what was signed with its key.
TEST_F(SignedReceipt, HoldsAfterItsCertificateHasLapsed) {
  const auto request = CertificateRequest{.identity = {IdentityKind::kHost, fleet_.Organisation(), host_id_},
                                          .not_before_unix_nanos = WallNowNanos() - 2 * TestFleet::kHour,
                                          .not_after_unix_nanos = WallNowNanos() - TestFleet::kHour,
                                          .dns_names = {},
                                          .ip_addresses = {}};
  const std::string lapsed = Must(IssueForKey(fleet_.CaKey(), fleet_.CaPem(), *key_, request));
  EXPECT_TRUE(VerifyReceipt(receipt_, host_id_, lapsed, fleet_.CaPem()).ok());
}

}  // namespace
}  // namespace cordon::testing
