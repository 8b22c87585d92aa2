// An order has an effect only when enough of the operators that the trust bundle names signed it (AUT-3).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/wire/order.h"
#include "common/wire/trust.h"
#include "tests/support/test_orders.h"

namespace cordon {
namespace {

using testing::AddSignature;
using testing::BasicOrder;
using testing::EmptyBundle;
using ::testing::HasSubstr;
using testing::IsolateOrder;
using testing::Must;
using testing::SetThreshold;
using testing::SignedBy;
using testing::TestOperator;
using testing::Trust;
using Role = v1::TrustedOperator;

class Orders : public ::testing::Test {
 protected:
  Orders() {
    Trust(alex_, {Role::ROLE_ISOLATE, Role::ROLE_TRUST}, &bundle_);
    Trust(sam_, {Role::ROLE_ISOLATE}, &bundle_);
    Trust(kim_, {Role::ROLE_SCAN}, &bundle_);
    SetThreshold(v1::Threshold::ACTION_CLASS_ISOLATE_HARD, 2, &bundle_);
    SetThreshold(v1::Threshold::ACTION_CLASS_WHOLE_GROUP, 2, &bundle_);
  }

  absl::Status Verdict(const v1::SignedOrder& order) const { return VerifyOrder(order, bundle_).status(); }

  void ExpectRefused(const v1::SignedOrder& order, const std::string& why,
                     absl::StatusCode code = absl::StatusCode::kPermissionDenied) const {
    const absl::Status status = Verdict(order);
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(Message(status)), HasSubstr(why));
  }

  const std::string fleet_ = NewUuid();
  const TestOperator alex_, sam_, kim_, stranger_;
  v1::TrustBundle bundle_ = EmptyBundle(fleet_);
};

TEST_F(Orders, AUT3_AreObeyedWhenATrustedOperatorSignedThem) {
  const v1::Order order = IsolateOrder(fleet_);
  const absl::StatusOr<v1::Order> verified = VerifyOrder(SignedBy(order, {&alex_}), bundle_);
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_EQ(verified->SerializeAsString(), order.SerializeAsString());
}

TEST_F(Orders, AUT3_AreRefusedWithoutASignature) {
  ExpectRefused(SignedBy(IsolateOrder(fleet_), {}), "not signed");
}

TEST_F(Orders, AUT3_AreRefusedWhenSignedWithAnotherKey) {
  v1::SignedOrder order = SignedBy(IsolateOrder(fleet_), {&stranger_});
  order.mutable_signatures(0)->set_operator_id(alex_.id);
  ExpectRefused(order, "is not one over these bytes");
}

TEST_F(Orders, AUT3_AreRefusedWhenOneByteOfThemOrOfTheSignatureIsAltered) {
  const v1::SignedOrder good = SignedBy(IsolateOrder(fleet_), {&alex_});
  ASSERT_TRUE(Verdict(good).ok());
  for (size_t i = 0; i < good.order().size(); ++i) {
    v1::SignedOrder bad = good;
    (*bad.mutable_order())[i] = static_cast<char>((*bad.mutable_order())[i] ^ 1);
    EXPECT_FALSE(Verdict(bad).ok()) << "byte " << i;
  }
  for (size_t i = 0; i < good.signatures(0).ed25519().size(); ++i) {
    v1::SignedOrder bad = good;
    std::string* bytes = bad.mutable_signatures(0)->mutable_ed25519();
    (*bytes)[i] = static_cast<char>((*bytes)[i] ^ 1);
    EXPECT_FALSE(Verdict(bad).ok()) << "byte " << i << " of the signature";
  }
}

TEST_F(Orders, AUT3_AreRefusedWhenTheSignatureWasMadeForAnotherDomain) {
  v1::SignedOrder order = SignedBy(IsolateOrder(fleet_), {&alex_});
  order.mutable_signatures(0)->set_ed25519(Must(Sign(kTrustDomain, order.order(), *alex_.key)));
  ExpectRefused(order, "is not one over these bytes");
}

TEST_F(Orders, AUT3_AreRefusedWhenTheOperatorLacksTheRole) {
  ExpectRefused(SignedBy(IsolateOrder(fleet_), {&kim_}), "lacks the role isolate");
  v1::Order scan = BasicOrder(fleet_);
  scan.mutable_scan()->mutable_spec()->mutable_integrity();
  ExpectRefused(SignedBy(scan, {&alex_}), "lacks the role scan");
  EXPECT_TRUE(Verdict(SignedBy(scan, {&kim_})).ok());
}

TEST_F(Orders, AUT3_AreRefusedWhenOnlyStrangersSignedAndToleratedBesideTrustedOnes) {
  ExpectRefused(SignedBy(IsolateOrder(fleet_), {&stranger_}), "is not in the trust bundle");
  EXPECT_TRUE(Verdict(SignedBy(IsolateOrder(fleet_), {&stranger_, &alex_})).ok());
}

TEST_F(Orders, AUT3_OfAnotherFleetAreRefused) {
  ExpectRefused(SignedBy(IsolateOrder(NewUuid()), {&alex_}), "it is for fleet");
}

TEST_F(Orders, AUT3_ThatNeedTwoSignersAreRefusedWithOne) {
  const v1::Order dark = IsolateOrder(fleet_, v1::LEVEL_DARK);
  ExpectRefused(SignedBy(dark, {&alex_}), "2 operators with the role isolate must sign, 1 did");
  EXPECT_TRUE(Verdict(SignedBy(dark, {&alex_, &sam_})).ok());
}

TEST_F(Orders, AUT3_SignedTwiceByOneOperatorCountOnce) {
  ExpectRefused(SignedBy(IsolateOrder(fleet_, v1::LEVEL_DARK), {&alex_, &alex_}), "signed twice");
}

TEST_F(Orders, AUT3_ForTheWholeGroupNeedItsThresholdWhateverTheyDo) {
  v1::Order order = BasicOrder(fleet_);
  order.mutable_release();
  EXPECT_TRUE(Verdict(SignedBy(order, {&alex_})).ok());
  order.mutable_target()->set_all(true);
  ExpectRefused(SignedBy(order, {&alex_}), "2 operators");
  EXPECT_TRUE(Verdict(SignedBy(order, {&alex_, &sam_})).ok());
}

// Of one who may set policies and isolate nothing, and two who may do both.
TEST_F(Orders, AUT3_APolicyThatLetsHostsIsolateThemselvesNeedsWhatIsolatingNeeds) {
  const TestOperator pat, ann, joe;
  Trust(pat, {Role::ROLE_POLICY}, &bundle_);
  Trust(ann, {Role::ROLE_POLICY, Role::ROLE_ISOLATE}, &bundle_);
  Trust(joe, {Role::ROLE_POLICY, Role::ROLE_ISOLATE}, &bundle_);
  v1::Order order = BasicOrder(fleet_);
  order.mutable_policy()->mutable_policy()->add_watched_paths("/srv");
  EXPECT_TRUE(Verdict(SignedBy(order, {&pat})).ok());
  v1::SelfIsolation& isolate =
      *order.mutable_policy()->mutable_policy()->mutable_tripwires()->mutable_isolate();
  isolate.set_level(v1::LEVEL_ESSENTIAL);
  isolate.mutable_lease()->mutable_length()->set_seconds(3'600);
  ExpectRefused(SignedBy(order, {&pat}), "lacks the role isolate");
  EXPECT_TRUE(Verdict(SignedBy(order, {&ann})).ok());
  SetThreshold(v1::Threshold::ACTION_CLASS_ISOLATE, 2, &bundle_);
  ExpectRefused(SignedBy(order, {&ann}), "2 operators with the role policy and the role isolate");
  ExpectRefused(SignedBy(order, {&ann, &pat}), "lacks the role isolate");
  EXPECT_TRUE(Verdict(SignedBy(order, {&ann, &joe})).ok());
}

TEST_F(Orders, AUT6_OutOfBoundsAreRefusedBeforeAnySignatureIsLookedAt) {
  v1::SignedOrder many = SignedBy(IsolateOrder(fleet_), {&alex_});
  for (int i = 0; i < kMaxSignatures; ++i) *many.add_signatures() = many.signatures(0);
  ExpectRefused(many, "17 signatures, at most 16", absl::StatusCode::kInvalidArgument);
  v1::SignedOrder cut = SignedBy(IsolateOrder(fleet_), {&alex_});
  cut.mutable_signatures(0)->mutable_ed25519()->pop_back();
  ExpectRefused(cut, "right length", absl::StatusCode::kInvalidArgument);
  v1::SignedOrder huge;
  huge.set_order(std::string(kMaxOrderBytes + 1, 'x'));
  ExpectRefused(huge, "at most", absl::StatusCode::kInvalidArgument);
  v1::SignedOrder noise;
  noise.set_order("\xff\xff\xff");
  AddSignature(alex_, &noise);
  ExpectRefused(noise, "damaged", absl::StatusCode::kInvalidArgument);
  ExpectRefused(SignedBy(BasicOrder(fleet_), {&alex_}), "action: missing",
                absl::StatusCode::kInvalidArgument);
}

class NewTrust : public Orders {
 protected:
  v1::Order TrustOrder(const v1::TrustBundle& bundle) const {
    v1::Order order = BasicOrder(fleet_);
    order.mutable_trust()->mutable_bundle()->set_bundle(bundle.SerializeAsString());
    return order;
  }
  v1::TrustBundle Next() const {
    v1::TrustBundle next = EmptyBundle(fleet_);
    next.set_version(2);
    Trust(stranger_, {Role::ROLE_TRUST}, &next);
    return next;
  }
};

TEST_F(NewTrust, AUT3_NeedsTheOldOperatorsAndTheNewOnes) {
  const v1::Order order = TrustOrder(Next());
  EXPECT_TRUE(Verdict(SignedBy(order, {&alex_, &stranger_})).ok());
  ExpectRefused(SignedBy(order, {&alex_}),
                "by the new trust bundle: 1 operator with the role trust must sign");
  ExpectRefused(SignedBy(order, {&stranger_}), "is not in the trust bundle");
}

TEST_F(NewTrust, AUT3_IsCountedByBothThresholds) {
  bundle_ = EmptyBundle(fleet_);
  Trust(kim_, {Role::ROLE_TRUST}, &bundle_);
  Trust(alex_, {Role::ROLE_TRUST}, &bundle_);
  SetThreshold(v1::Threshold::ACTION_CLASS_TRUST, 2, &bundle_);
  v1::TrustBundle next = Next();
  Trust(sam_, {Role::ROLE_TRUST}, &next);
  SetThreshold(v1::Threshold::ACTION_CLASS_TRUST, 2, &next);
  const v1::Order order = TrustOrder(next);
  EXPECT_TRUE(Verdict(SignedBy(order, {&alex_, &kim_, &sam_, &stranger_})).ok());
  ExpectRefused(SignedBy(order, {&alex_, &sam_, &stranger_}),
                "2 operators with the role trust must sign, 1 did");
  ExpectRefused(SignedBy(order, {&alex_, &kim_, &sam_}),
                "by the new trust bundle: 2 operators with the role trust must sign, 1 did");
  ExpectRefused(SignedBy(order, {&alex_, &alex_, &sam_, &stranger_}), "signed twice");
}

// Whoever is in both counts in both, by the key that each bundle has of them.
TEST_F(NewTrust, AUT3_CountsAnOperatorByTheKeyOfEachBundle) {
  v1::TrustBundle next = EmptyBundle(fleet_);
  next.set_version(2);
  Trust(alex_, {Role::ROLE_TRUST}, &next);
  EXPECT_TRUE(Verdict(SignedBy(TrustOrder(next), {&alex_})).ok());
  next.mutable_operators(0)->set_ed25519_public_key(Must(RawPublicKey(*stranger_.key)));  // rotated
  ExpectRefused(SignedBy(TrustOrder(next), {&alex_}), "by the new trust bundle");
  v1::SignedOrder both = SignedBy(TrustOrder(next), {&alex_, &stranger_});
  both.mutable_signatures(1)->set_operator_id(alex_.id);
  EXPECT_TRUE(Verdict(both).ok());
}

TEST_F(NewTrust, AUT3_DoesNotWaitForTheThresholdOfTheWholeGroup) {
  v1::Order order = TrustOrder(Next());
  order.mutable_target()->set_all(true);
  EXPECT_TRUE(Verdict(SignedBy(order, {&alex_, &stranger_})).ok());
}

TEST_F(NewTrust, AUT3_IsNotSignedInside) {
  v1::Order order = TrustOrder(Next());
  v1::SignedTrustBundle* inner = order.mutable_trust()->mutable_bundle();
  v1::Signature* signature = inner->add_signatures();
  signature->set_operator_id(stranger_.id);
  signature->set_ed25519(Must(Sign(kTrustDomain, inner->bundle(), *stranger_.key)));
  ExpectRefused(SignedBy(order, {&alex_, &stranger_}), "signed by the order alone",
                absl::StatusCode::kInvalidArgument);
}

TEST_F(NewTrust, AUT3_OnlyRisesInVersionAndStaysInItsFleet) {
  v1::TrustBundle same = Next();
  same.set_version(1);
  ExpectRefused(SignedBy(TrustOrder(same), {&alex_, &stranger_}), "not above 1");
  v1::TrustBundle other = Next();
  other.set_fleet_id(NewUuid());
  ExpectRefused(SignedBy(TrustOrder(other), {&alex_, &stranger_}), "another fleet");
}

// What a proposal shows while signatures are still gathered.
TEST_F(NewTrust, AUT3_SignaturesAreCountedBeforeThereAreEnough) {
  const auto count = [this](const v1::SignedOrder& order) {
    return Must(CountSignatures(order.order(), order.signatures(), bundle_));
  };
  const v1::Order dark = IsolateOrder(fleet_, v1::LEVEL_DARK);
  EXPECT_EQ(count(SignedBy(dark, {})).have, 0U);
  EXPECT_EQ(count(SignedBy(dark, {})).needed, 2U);
  EXPECT_EQ(count(SignedBy(dark, {&alex_, &kim_})).have, 1U);
  EXPECT_THAT(count(SignedBy(dark, {&alex_, &kim_})).lacking, HasSubstr("lacks the role isolate"));
  EXPECT_EQ(count(SignedBy(dark, {&alex_, &sam_})).have, 2U);
  EXPECT_EQ(count(SignedBy(dark, {&alex_, &sam_})).lacking, "");

  const v1::Order trust = TrustOrder(Next());
  EXPECT_THAT(count(SignedBy(trust, {&alex_})).lacking, HasSubstr("by the new trust bundle"));
  EXPECT_EQ(count(SignedBy(trust, {&alex_})).have, 0U);
  EXPECT_EQ(count(SignedBy(trust, {&alex_, &stranger_})).lacking, "");
  const v1::SignedOrder foreign = SignedBy(IsolateOrder(NewUuid()), {&alex_});
  EXPECT_EQ(CountSignatures(foreign.order(), foreign.signatures(), bundle_).status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(Orders, AUT1_TheFirstTrustBundleIsTheOneThatWasPinned) {
  v1::SignedTrustBundle signed_bundle;
  signed_bundle.set_bundle(bundle_.SerializeAsString());
  const std::string pinned = Sha256(signed_bundle.bundle());
  EXPECT_TRUE(VerifyTrustBundleHash(signed_bundle, pinned).ok());
  Trust(stranger_, {Role::ROLE_ISOLATE}, &bundle_);
  signed_bundle.set_bundle(bundle_.SerializeAsString());
  EXPECT_EQ(VerifyTrustBundleHash(signed_bundle, pinned).status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(Orders, AUT3_AreNotJudgedByABundleWithDoubledKeysOrThresholdsOutOfReach) {
  v1::TrustBundle doubled = bundle_;
  *doubled.add_operators() = doubled.operators(0);
  doubled.mutable_operators(3)->set_operator_id(NewUuid());
  EXPECT_THAT(std::string(Message(CheckTrustBundle(doubled))), HasSubstr("stands twice"));
  v1::TrustBundle out_of_reach = bundle_;
  SetThreshold(v1::Threshold::ACTION_CLASS_SCAN, 2, &out_of_reach);
  EXPECT_THAT(std::string(Message(CheckTrustBundle(out_of_reach))), HasSubstr("only 1 operators"));
  EXPECT_TRUE(CheckTrustBundle(bundle_).ok());
}

TEST(Target, AUT3_MeansAHostOnlyByItsOwnIdentity) {
  const HostTraits self{NewUuid(), "front-desk", "leeds", {}};
  v1::Target target;
  v1::TargetHost* host = target.add_hosts();
  host->set_host_id(self.host_id);
  EXPECT_TRUE(TargetMatches(target, self));
  host->set_name("Front-Desk");
  EXPECT_TRUE(TargetMatches(target, self));
  host->set_name("server");
  EXPECT_FALSE(TargetMatches(target, self)) << "an id that was handed out for another name";
  target.add_sites("york");
  EXPECT_FALSE(TargetMatches(target, self));
  target.add_sites("leeds");
  EXPECT_TRUE(TargetMatches(target, self));
}

}  // namespace
}  // namespace cordon
