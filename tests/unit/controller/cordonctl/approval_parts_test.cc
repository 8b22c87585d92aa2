// What the operator's tool checks by itself before somebody approves (AUT-3).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/hex.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/crypto/digest.h"
#include "common/crypto/x509.h"
#include "controller/cordonctl/approve.h"
#include "controller/cordonctl/signers.h"
#include "controller/cordonctl/trust_pin.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_orders.h"

namespace cordon::ctl {
namespace {

using ::testing::Contains;
using testing::Fails;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::Must;
using ::testing::Not;
using testing::SetThreshold;
using testing::SignedBy;
using ::testing::SizeIs;
using testing::TestFleet;
using testing::TestOperator;
using Class = v1::Threshold;
using Role = v1::TrustedOperator;

constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

// A chain of trust bundles: version 1 names alex, each later one is made by Next.
struct Chain {
  std::string fleet_id = NewUuid();
  TestOperator alex;
  TestOperator blake;
  v1::TrustBundle bundle = testing::EmptyBundle(fleet_id);
  std::vector<v1::SignedOrder> history;
  v1::SignedTrustBundle current;

  Chain() {
    Trust(alex, {Role::ROLE_ISOLATE, Role::ROLE_TRUST}, &bundle);
    current.set_bundle(bundle.SerializeAsString());
    v1::Order first;
    *first.mutable_trust()->mutable_bundle() = current;
    history.emplace_back().set_order(first.SerializeAsString());
  }
  void Next(const std::vector<const TestOperator*>& signers) {
    bundle.set_version(bundle.version() + 1);
    v1::Order order = testing::BasicOrder(fleet_id);
    order.set_sequence(bundle.version());
    current.set_bundle(bundle.SerializeAsString());
    *order.mutable_trust()->mutable_bundle() = current;
    history.push_back(testing::SignedBy(order, signers));
  }
  TrustPin Pin() const { return {Sha256(current.bundle()), bundle.version()}; }

  // One at a time, so that paging is always under test.
  TrustHistory Served() const {
    return [this](uint64_t after) -> absl::StatusOr<std::vector<v1::SignedOrder>> {
      for (const v1::SignedOrder& one : history) {
        v1::Order order;
        v1::TrustBundle made;
        order.ParseFromString(one.order());
        made.ParseFromString(order.trust().bundle().bundle());
        if (made.version() > after) return std::vector{one};
      }
      return std::vector<v1::SignedOrder>();
    };
  }
  absl::StatusOr<FollowedTrust> Follow(const TrustPin& pin) const {
    return FollowTrust(pin, current, Served());
  }
};

TEST(TrustPin, AUT3_FollowsTheChainFromThePinnedBundle) {
  Chain chain;
  const TrustPin first = chain.Pin();
  EXPECT_EQ(Must(chain.Follow(first)).pin, first);
  Trust(chain.blake, {Role::ROLE_ISOLATE, Role::ROLE_TRUST}, &chain.bundle);
  chain.Next({&chain.alex});
  const TrustPin second = chain.Pin();
  SetThreshold(Class::ACTION_CLASS_TRUST, 2, &chain.bundle);
  chain.Next({&chain.alex, &chain.blake});
  for (const TrustPin& pin :
       {first, second, chain.Pin(), TrustPin{first.sha256, 0}, TrustPin{second.sha256, 0}}) {
    const FollowedTrust followed = Must(chain.Follow(pin));
    EXPECT_EQ(followed.pin, chain.Pin());
    EXPECT_EQ(followed.bundle.version(), 3U);
    EXPECT_THAT(followed.bundle.operators(), SizeIs(2));
  }
}

// `trust ca` takes files as they are, and not every one ends with a line's end.
TEST(TrustPin, AUT1_CasStayWholeInTheIdentity) {
  const TestFleet old_fleet;
  const TestFleet new_fleet;
  FollowedTrust trust;
  trust.pin = {std::string(32, 'h'), 3};
  for (std::string pem : {old_fleet.CaPem(), new_fleet.CaPem()}) {
    while (pem.ends_with('\n')) pem.pop_back();
    trust.bundle.add_ca_pem(pem);
  }
  v1::OperatorIdentity identity;
  PinTrust(trust, &identity);
  EXPECT_EQ(identity.trust_bundle_sha256(), trust.pin.sha256);
  EXPECT_EQ(identity.trust_version(), 3U);
  for (const TestFleet* fleet : {&old_fleet, &new_fleet}) {
    const TestFleet::Leaf leaf = fleet->Issue(IdentityKind::kController, NewUuid());
    EXPECT_THAT(CheckCertificate(leaf.certificate_pem, identity.ca_pem(), WallNowNanos()), IsOk());
  }
}

TEST(TrustPin, AUT3_RefusesAStepThatThePinnedOperatorsDidNotSign) {
  Chain chain;
  const TrustPin first = chain.Pin();
  Trust(chain.blake, {Role::ROLE_ISOLATE, Role::ROLE_TRUST}, &chain.bundle);
  chain.Next({&chain.blake});
  EXPECT_THAT(chain.Follow(first), Fails(kDenied, "do not follow"));
}

TEST(TrustPin, AUT3_RefusesABundleThatNoOrderPutInForce) {
  Chain chain;
  const TrustPin first = chain.Pin();
  const Chain other;
  const auto followed =
      FollowTrust(first, other.current, [](uint64_t) { return std::vector<v1::SignedOrder>(); });
  EXPECT_THAT(followed, Fails(kDenied, "version 1"));
}

TEST(TrustPin, AUT3_RefusesAControllerThatWasSetBack) {
  Chain chain;
  const v1::SignedTrustBundle before = chain.current;
  chain.Next({&chain.alex});
  const TrustPin second = chain.Pin();
  EXPECT_THAT(chain.Follow(second), IsOk()) << "the positive control";
  chain.history.pop_back();
  chain.current = before;
  EXPECT_THAT(chain.Follow(second), Fails(kDenied, "set back"));
  EXPECT_THAT(chain.Follow({second.sha256, 0}), Fails(kDenied, "pinned trust bundle"));
}

TEST(TrustPin, AUT3_AnotherBundleOfThePinnedVersionIsNotIt) {
  Chain chain;
  TrustPin pin = chain.Pin();
  chain.Next({&chain.alex});
  pin.sha256.front() ^= 1;
  EXPECT_THAT(chain.Follow(pin), Fails(kDenied, "version 1"));
}

TEST(TrustPin, AUT3_AHistoryWithoutEndIsRefused) {
  Chain chain;
  const TrustPin first = chain.Pin();
  chain.Next({&chain.alex});
  const auto followed = FollowTrust(first, chain.current, [&](uint64_t) { return chain.history; });
  EXPECT_THAT(followed, Fails(kDenied, "")) << "the same again is no step";
}

// Alex, blake and an operator for scans; two for dark.
struct Approval {
  TestOperator alex;
  TestOperator blake;
  TestOperator watcher;
  v1::TrustBundle bundle = testing::EmptyBundle(NewUuid());
  v1::Order order;

  Approval() {
    Trust(alex, {Role::ROLE_ISOLATE, Role::ROLE_TRUST}, &bundle);
    Trust(blake, {Role::ROLE_ISOLATE}, &bundle);
    Trust(watcher, {Role::ROLE_SCAN}, &bundle);
    SetThreshold(Class::ACTION_CLASS_ISOLATE_HARD, 2, &bundle);
    order = testing::IsolateOrder(bundle.fleet_id(), v1::LEVEL_DARK);
    order.mutable_isolate()->set_user_message("stay away from the network");
  }
  v1::OrderSummary Summary(const std::vector<const TestOperator*>& signers) const {
    v1::OrderSummary summary;
    *summary.mutable_order() = SignedBy(order, signers);
    summary.set_proposal(v1::PROPOSAL_STATE_OPEN);
    summary.set_signatures_needed(2);
    return summary;
  }
  absl::Status Check(const v1::OrderSummary& summary, const TestOperator& person) const {
    return CheckApprovable(summary, order.order_id(), person.id, bundle, WallNowNanos()).status();
  }
};

TEST(Approval, AUT3_IsForOneWhoMayAndHasNotSigned) {
  const Approval a;
  const v1::OrderSummary summary = a.Summary({&a.alex});
  EXPECT_THAT(a.Check(summary, a.blake), IsOk());
  EXPECT_THAT(a.Check(summary, a.alex), Fails(absl::StatusCode::kAlreadyExists, "signed it already"));
  EXPECT_THAT(a.Check(summary, a.watcher), Fails(kDenied, "role isolate"));
  const TestOperator stranger;
  EXPECT_THAT(a.Check(summary, stranger), Fails(kDenied, "would not count"));
}

TEST(Approval, AUT3_IsNotForAnotherOrderThanTheOneAskedFor) {
  const Approval a;
  v1::OrderSummary summary = a.Summary({&a.alex});
  EXPECT_THAT(CheckApprovable(summary, NewUuid(), a.blake.id, a.bundle, WallNowNanos()),
              Fails(kDenied, "another order"));
  v1::Order foreign = a.order;
  foreign.set_fleet_id(NewUuid());
  *summary.mutable_order() = SignedBy(foreign, {&a.alex});
  EXPECT_THAT(a.Check(summary, a.blake), Fails(kDenied, "for fleet"));
  summary.mutable_order()->set_order("\xff");
  EXPECT_THAT(a.Check(summary, a.blake), Fails(absl::StatusCode::kInvalidArgument, "cannot be approved"));
}

TEST(Approval, AUT3_IsNotForWhatIsOver) {
  const Approval a;
  v1::OrderSummary summary = a.Summary({&a.alex});
  EXPECT_THAT(CheckApprovable(summary, a.order.order_id(), a.blake.id, a.bundle,
                              WallNowNanos() + 2 * testing::TestFleet::kHour),
              Fails(absl::StatusCode::kFailedPrecondition, "expired at"));
  summary.set_proposal(v1::PROPOSAL_STATE_WITHDRAWN);
  EXPECT_THAT(a.Check(summary, a.blake), Fails(absl::StatusCode::kFailedPrecondition, "withdrawn"));
  summary.set_proposal(v1::PROPOSAL_STATE_UNSPECIFIED);
  EXPECT_THAT(a.Check(summary, a.blake), Fails(absl::StatusCode::kFailedPrecondition, "went to its hosts"));
}

TEST(Approval, AUT3_ShowsAllThatIsSigned) {
  Approval a;
  v1::AllowRule& rule = *a.order.mutable_isolate()->mutable_profile()->add_allow();
  rule.set_direction(v1::DIRECTION_OUT);
  rule.set_protocol(v1::TRANSPORT_PROTOCOL_TCP);
  rule.add_networks("10.0.0.0/8");
  rule.mutable_ports()->Add()->set_first(443);
  rule.mutable_ports(0)->set_last(444);
  rule.mutable_program()->set_path("/opt/pms");
  const v1::SignedOrder signed_order = SignedBy(a.order, {&a.alex});
  const std::vector<std::string> lines = DescribeSigned(signed_order, a.order, a.bundle);
  for (const char* const part : {"isolate to dark", "unknown remote session", "stay away from the network",
                                 "out tcp 10.0.0.0/8 :443-444 only by /opt/pms", "sha256    "}) {
    EXPECT_THAT(lines, Contains(HasSubstr(part)));
  }
}

TEST(Approval, AUT3_ShowsWhatAChangeOfTrustChanges) {
  Approval a;
  v1::TrustBundle next = a.bundle;
  next.set_version(2);
  next.mutable_operators()->RemoveLast();
  const TestOperator casey;
  Trust(casey, {Role::ROLE_ISOLATE}, &next);
  next.mutable_operators(0)->clear_roles();
  next.mutable_operators(0)->add_roles(Role::ROLE_TRUST);
  next.mutable_operators(1)->mutable_ed25519_public_key()->front() ^= 1;
  next.mutable_thresholds(0)->set_signatures(1);
  v1::Lifeline& line = *next.add_lifelines();
  line.set_site("leeds");
  line.set_level(v1::LEVEL_ESSENTIAL);
  line.set_hosts(1);
  line.add_host_ids(NewUuid());
  line.set_signatures(2);
  const std::vector<std::string> lines = DescribeTrustChange(a.bundle, next);
  for (const std::string& part :
       {"new operator alex " + casey.id + ": isolate", a.watcher.id + " is removed",
        std::string("isolate, trust becomes trust"), std::string("another signing key"),
        std::string("isolate-hard: 2 becomes 1"), std::string("lifeline of site leeds: the first 1 of 1")}) {
    EXPECT_THAT(lines, Contains(HasSubstr(part)));
  }
  EXPECT_THAT(DescribeTrustChange(a.bundle, a.bundle), SizeIs(1));
}

// A second signature is worth nothing when who gives it cannot see whose key or CA it puts in force.
TEST(Approval, AUT3_ShowsWhichKeysAndCasAChangeOfTrustPutsInForce) {
  Approval a;
  a.bundle.add_ca_pem("the old one");
  a.bundle.add_ca_pem("one that stays");
  v1::TrustBundle next = a.bundle;
  next.set_version(2);
  const TestOperator casey;
  Trust(casey, {Role::ROLE_ISOLATE}, &next);
  next.mutable_operators(1)->mutable_ed25519_public_key()->front() ^= 1;
  next.set_ca_pem(0, "another one");
  next.set_audit_log_public_key(std::string(32, 'k'));
  v1::Lifeline& line = *next.add_lifelines();
  line.set_site("leeds");
  line.set_hosts(1);
  line.add_host_ids(NewUuid());
  const std::vector<std::string> lines = DescribeTrustChange(a.bundle, next);
  const std::string casey_key = HexEncode(Must(RawPublicKey(*casey.key)));
  for (const std::string& part :
       {casey_key, HexEncode(next.operators(1).ed25519_public_key()), HexEncode(std::string(32, 'k')),
        StrCat("new CA SHA-256 ", HexEncode(Sha256("another one"))),
        StrCat("removed CA SHA-256 ", HexEncode(Sha256("the old one"))), line.host_ids(0)}) {
    EXPECT_THAT(lines, Contains(HasSubstr(part)));
  }
  EXPECT_THAT(lines, Not(Contains(HasSubstr(HexEncode(Sha256("one that stays"))))));
}

TEST(SignersOf, AUT3_TellsWhoSignedWhoMayAndWhatIsIdle) {
  const Approval a;
  const TestOperator stranger;
  const Signers signers = Must(SignersOf(SignedBy(a.order, {&a.alex, &stranger, &a.watcher}), a.bundle));
  ASSERT_THAT(signers.have, SizeIs(1));
  EXPECT_EQ(signers.have[0].operator_id(), a.alex.id);
  ASSERT_THAT(signers.may, SizeIs(1));
  EXPECT_EQ(signers.may[0].operator_id(), a.blake.id);
  EXPECT_THAT(signers.idle, SizeIs(2));
}

TEST(SignersOf, AUT3_OfAPolicyThatLetsHostsIsolateThemselvesHaveBothRoles) {
  Approval a;
  const TestOperator pat, ann;
  Trust(pat, {Role::ROLE_POLICY}, &a.bundle);
  Trust(ann, {Role::ROLE_POLICY, Role::ROLE_ISOLATE}, &a.bundle);
  a.order.mutable_policy()->mutable_policy()->add_watched_paths("/srv");
  EXPECT_THAT(Must(SignersOf(SignedBy(a.order, {}), a.bundle)).may, SizeIs(2));
  v1::SelfIsolation& isolate =
      *a.order.mutable_policy()->mutable_policy()->mutable_tripwires()->mutable_isolate();
  isolate.set_level(v1::LEVEL_ESSENTIAL);
  isolate.mutable_lease()->mutable_length()->set_seconds(3'600);
  const Signers signers = Must(SignersOf(SignedBy(a.order, {}), a.bundle));
  ASSERT_THAT(signers.may, SizeIs(1));
  EXPECT_EQ(signers.may[0].operator_id(), ann.id);
  EXPECT_THAT(a.Check(a.Summary({}), pat), Fails(kDenied, "lack the role isolate"));
}

}  // namespace
}  // namespace cordon::ctl
