#include "controller/keys/operator_request.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "common/base/uuid.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/x509.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_fleet.h"

namespace cordon::controller {
namespace {

using testing::Fails;
using testing::IsOk;
using testing::Must;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr int64_t kNow = 1'800'000'000 * kNanosPerSecond;

struct Person {
  OperatorKeys keys = Must(NewOperatorKeys());
  v1::OperatorIdentity identity;

  Person() {
    identity.set_operator_id(NewUuid());
    identity.set_name("blake");
  }
  v1::OperatorRequest Joins() const {
    return Must(MakeRequest(identity.operator_id(), identity.name(), keys, kNow));
  }
  v1::OperatorRequest Renews() const { return Must(MakeRenewal(identity, *keys.signing, *keys.tls, kNow)); }
};

TEST(CertificateRequestOfAnOperator, AUT3_IsProvenWholeByTheSigningKey) {
  const Person blake;
  const Person other;
  const std::vector<std::function<void(v1::OperatorRequest&)>> changes = {
      [](auto& r) { r.set_operator_id(NewUuid()); },
      [](auto& r) { r.set_name("alex"); },
      [&](auto& r) { r.set_ed25519_public_key(other.Joins().ed25519_public_key()); },
      [&](auto& r) { r.set_unlock_public_key(other.Joins().unlock_public_key()); },
      [&](auto& r) { r.set_csr_der(other.Joins().csr_der()); },
      [](auto& r) { r.set_made_unix_nanos(kNow + 1); },
      [&](auto& r) { r.set_proof(other.Joins().proof()); },
      [](auto& r) { r.mutable_proof()->back() = static_cast<char>(r.proof().back() ^ 1); },
      [](auto& r) { r.clear_proof(); },
  };
  for (const v1::OperatorRequest& good : {blake.Joins(), blake.Renews()}) {
    EXPECT_THAT(CheckRequest(good), IsOk()) << "the positive control";
    for (size_t i = 0; i < changes.size(); ++i) {
      v1::OperatorRequest altered = good;
      changes[i](altered);
      EXPECT_THAT(CheckRequest(altered), Fails(kInvalid, "not signed by the key in it")) << i;
    }
  }
}

// A signature over the same bytes for another purpose is none.
TEST(CertificateRequestOfAnOperator, AUT3_HasADomainOfItsOwn) {
  const Person blake;
  v1::OperatorRequest request = blake.Renews();
  request.clear_proof();
  const std::string bytes = request.SerializeAsString();
  for (const std::string_view domain : {kOrderDomain, kTrustDomain}) {
    request.set_proof(Must(Sign(domain, bytes, *blake.keys.signing)));
    EXPECT_THAT(CheckRequest(request), Fails(kInvalid, "not signed by the key in it")) << domain;
  }
  request.set_proof(Must(Sign("cordon-operator-request-v1", bytes, *blake.keys.signing)));
  EXPECT_THAT(CheckRequest(request), IsOk()) << "the positive control";
}

TEST(CertificateRequestOfAnOperator, NamesAnUnlockKeyOnlyToJoin) {
  const Person blake;
  EXPECT_EQ(blake.Joins().unlock_public_key().size(), 32U);
  EXPECT_TRUE(blake.Renews().unlock_public_key().empty());
  EXPECT_EQ(blake.Renews().ed25519_public_key(), Must(RawPublicKey(*blake.keys.signing)));
}

TEST(CertificateRequestOfAnOperator, IsGoodForAYearAndNotBeforeItWasMade) {
  const v1::OperatorRequest request = Person().Renews();
  for (const int64_t good : {kNow - kMaxRequestAheadNanos, kNow, kNow + kRequestNanos - 1}) {
    EXPECT_THAT(CheckRequestTime(request, good), IsOk()) << good;
  }
  EXPECT_THAT(CheckRequestTime(request, kNow - kMaxRequestAheadNanos - 1), Fails(kInvalid, "set the clock"));
  EXPECT_THAT(CheckRequestTime(request, kNow + kRequestNanos), Fails(kPrecondition, "made anew"));
  v1::OperatorRequest far = request;
  far.set_made_unix_nanos(std::numeric_limits<int64_t>::max());
  EXPECT_THAT(CheckRequestTime(far, kNow), Fails(kInvalid, "set the clock"));
}

}  // namespace
}  // namespace cordon::controller
