// How somebody becomes an operator (AUT-3): the files, and the bundle that names them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/crypto/digest.h"
#include "controller/cordonctl/operator_files.h"
#include "controller/cordonctl/trust_draft.h"
#include "controller/keys/operator_request.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_orders.h"

namespace cordon::ctl {
namespace {

using testing::Fails;
using testing::IsOk;
using testing::Must;
using ::testing::SizeIs;
using testing::TestFleet;
using testing::TestOperator;
using Class = v1::Threshold;
using Role = v1::TrustedOperator;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

struct Newcomer {
  controller::OperatorKeys keys = Must(controller::NewOperatorKeys());
  std::string id = NewUuid();
  v1::OperatorRequest request = Must(controller::MakeRequest(id, "blake", keys, WallNowNanos()));
};

TEST(OperatorRequest, AUT3_IsProvenByItsOwnKeyAndReadAsItWasWritten) {
  const Newcomer blake;
  EXPECT_EQ(Must(ReadRequest(WriteRequest(blake.request))).SerializeAsString(),
            blake.request.SerializeAsString());
  v1::OperatorRequest renamed = blake.request;
  renamed.set_name("alex");
  EXPECT_THAT(ReadRequest(WriteRequest(renamed)), Fails(kInvalid, "not signed by the key in it"));
  v1::OperatorRequest rekeyed = blake.request;
  rekeyed.set_ed25519_public_key(Newcomer().request.ed25519_public_key());
  EXPECT_THAT(ReadRequest(WriteRequest(rekeyed)), Fails(kInvalid, "not signed by the key in it"));
  EXPECT_NE(Fingerprint(renamed), Fingerprint(blake.request));
  EXPECT_EQ(Fingerprint(blake.request).size(), 39U);
}

TEST(OperatorRequest, AUT6_OutOfBoundsIsRefused) {
  const Newcomer blake;
  const auto refusal = [&](auto spoil) {
    v1::OperatorRequest request = blake.request;
    spoil(request);
    return ReadRequest(WriteRequest(request)).status();
  };
  EXPECT_THAT(refusal([](auto& r) { r.set_format(2); }), Fails(kInvalid, "format 2"));
  EXPECT_THAT(refusal([](auto& r) { r.set_operator_id("x"); }), Fails(kInvalid, "operator id"));
  EXPECT_THAT(refusal([](auto& r) { r.set_name(std::string(101, 'x')); }), Fails(kInvalid, "name"));
  EXPECT_THAT(refusal([](auto& r) { r.mutable_unlock_public_key()->pop_back(); }),
              Fails(kInvalid, "unlock key"));
  EXPECT_THAT(refusal([](auto& r) { r.clear_made_unix_nanos(); }), Fails(kInvalid, "older cordonctl"));
  EXPECT_THAT(refusal([](auto& r) { r.set_csr_der(std::string(16 * 1024 + 1, 'x')); }),
              Fails(kInvalid, "certificate request"));
  EXPECT_THAT(ReadRequest("no armour"), Fails(kInvalid, "operator request"));
  EXPECT_THAT(controller::MakeRequest(NewUuid(), "", blake.keys, WallNowNanos()), Fails(kInvalid, "name"));
}

// A renewal is for a certificate alone, and makes nobody an operator.
TEST(OperatorRequest, ARenewalIsNoRequestToJoin) {
  const Newcomer blake;
  v1::OperatorIdentity identity;
  identity.set_operator_id(blake.id);
  identity.set_name("blake");
  const v1::OperatorRequest renewal =
      Must(controller::MakeRenewal(identity, *blake.keys.signing, *blake.keys.tls, WallNowNanos()));
  EXPECT_THAT(ReadRequest(WriteRequest(renewal)), Fails(kInvalid, "no unlock key"));
}

TEST(OperatorWelcome, AUT3_FitsOnlyTheKeysThatAskedForIt) {
  const TestFleet fleet;
  const Newcomer blake;
  v1::OperatorIdentity pending;
  pending.set_format(1);
  pending.set_operator_id(blake.id);
  pending.set_name("blake");
  Must(controller::PutKeys(blake.keys, "", &pending));
  CertificateRequest certificate;
  certificate.identity = {IdentityKind::kOperator, fleet.Organisation(), blake.id};
  certificate.not_before_unix_nanos = WallNowNanos();
  certificate.not_after_unix_nanos = WallNowNanos() + TestFleet::kHour;
  v1::OperatorWelcome welcome;
  welcome.set_format(1);
  welcome.set_operator_id(blake.id);
  welcome.set_fleet_id(fleet.FleetId());
  welcome.add_controllers("controller.test:8443");
  welcome.set_ca_pem(fleet.CaPem());
  welcome.set_certificate_pem(
      Must(IssueFromCsr(fleet.CaKey(), fleet.CaPem(), blake.request.csr_der(), certificate)));
  welcome.set_trust_bundle_sha256(Sha256("bundle"));
  welcome.set_trust_version(2);

  const v1::OperatorIdentity kept = Must(ReadPending(WritePending(pending)));
  const v1::OperatorIdentity identity = Must(Join(kept, Must(ReadWelcome(WriteWelcome(welcome)))));
  EXPECT_EQ(identity.trust_version(), 2U);
  EXPECT_EQ(identity.controllers(0), "controller.test:8443");
  v1::OperatorWelcome of_another = welcome;
  of_another.set_operator_id(NewUuid());
  EXPECT_THAT(Join(kept, of_another), Fails(kInvalid, "the keys that wait here are of"));
  v1::OperatorWelcome other_key = welcome;
  other_key.set_certificate_pem(
      Must(IssueFromCsr(fleet.CaKey(), fleet.CaPem(), Newcomer().request.csr_der(), certificate)));
  EXPECT_FALSE(Join(kept, other_key).ok());
}

struct Draft {
  TestOperator alex;
  v1::TrustBundle bundle = testing::EmptyBundle(NewUuid());
  Draft() { Trust(alex, {Role::ROLE_ISOLATE, Role::ROLE_TRUST}, &bundle); }
};

TEST(TrustDraft, AUT3_NamesTheNewcomerWithTheirRoles) {
  const Draft draft;
  const Newcomer blake;
  const v1::TrustBundle next =
      Must(WithOperator(draft.bundle, blake.request, Must(ParseRoles({"isolate", "trust", "isolate"}))));
  EXPECT_EQ(next.version(), 2U);
  ASSERT_THAT(next.operators(), SizeIs(2));
  EXPECT_EQ(next.operators(1).ed25519_public_key(), blake.request.ed25519_public_key());
  EXPECT_THAT(next.operators(1).roles(), SizeIs(2));
  EXPECT_TRUE(next.operators(1).unlock_public_key().empty()) << "without the role unlock";
  EXPECT_THAT(CheckCanFollow(draft.bundle, next), IsOk());
  EXPECT_THAT(WithOperator(next, blake.request, {}), Fails(absl::StatusCode::kAlreadyExists, blake.id));
  const v1::TrustBundle unlocks = Must(WithOperator(draft.bundle, blake.request, {Role::ROLE_UNLOCK}));
  EXPECT_EQ(unlocks.operators(1).unlock_public_key(), blake.request.unlock_public_key());
  EXPECT_THAT(ParseRoles({"root"}), Fails(kInvalid, "none of isolate"));
}

TEST(TrustDraft, AUT3_ANewThresholdForTrustThatNeedsTheNewcomerIsASecondStep) {
  const Draft draft;
  const Newcomer blake;
  v1::TrustBundle next =
      Must(WithOperator(draft.bundle, blake.request, {Role::ROLE_ISOLATE, Role::ROLE_TRUST}));
  SetThresholds(Must(ParseThresholds({"isolate-hard=2", "whole-group=2"})), &next);
  EXPECT_THAT(CheckCanFollow(draft.bundle, next), IsOk()) << "other classes may come at once";
  v1::TrustBundle both = next;
  SetThresholds(Must(ParseThresholds({"trust=2"})), &both);
  EXPECT_THAT(CheckCanFollow(draft.bundle, both),
              Fails(absl::StatusCode::kFailedPrecondition, "cordonctl operator threshold trust=2"));
  v1::TrustBundle after = WithoutOperator(next, "");
  SetThresholds(Must(ParseThresholds({"trust=2", "isolate-hard=1"})), &after);
  EXPECT_THAT(CheckCanFollow(next, after), IsOk());
  EXPECT_THAT(after.thresholds(), SizeIs(3));
}

TEST(TrustDraft, AUT3_NobodyIsTakenOutWhomAThresholdNeeds) {
  const Draft draft;
  const Newcomer blake;
  v1::TrustBundle next = Must(WithOperator(draft.bundle, blake.request, {Role::ROLE_ISOLATE}));
  SetThresholds(Must(ParseThresholds({"isolate-hard=2"})), &next);
  const v1::TrustBundle without = WithoutOperator(next, blake.id);
  EXPECT_THAT(without.operators(), SizeIs(1));
  EXPECT_THAT(CheckCanFollow(next, without), Fails(kInvalid, "only 1 operators"));
}

TEST(TrustDraft, FindsAnOperatorByNameIdOrItsBeginning) {
  Draft draft;
  const TestOperator other;
  Trust(other, {Role::ROLE_SCAN}, &draft.bundle);
  draft.bundle.mutable_operators(1)->set_name("blake");
  for (const std::string& text : {other.id, other.id.substr(0, 8), std::string("blake")}) {
    EXPECT_EQ(Must(FindOperator(draft.bundle, text)).operator_id(), other.id);
  }
  EXPECT_THAT(FindOperator(draft.bundle, "casey"), Fails(absl::StatusCode::kNotFound, "operator list"));
  draft.bundle.mutable_operators(1)->set_name("alex");
  EXPECT_THAT(FindOperator(draft.bundle, "alex"),
              Fails(absl::StatusCode::kFailedPrecondition, other.id.substr(0, 8)));
}

TEST(Thresholds, AreClassAndNumber) {
  for (const char* bad :
       {"dark=2", "trust", "trust=", "trust=0", "trust=17", "trust=x", "=2", "unspecified=2"}) {
    EXPECT_THAT(ParseThresholds({bad}), Fails(kInvalid, "CLASS=N")) << bad;
  }
}

}  // namespace
}  // namespace cordon::ctl
