// What a host says of the orders that it took, through crashes. What it obeys stands in
// tests/security/authority/hostile_controller.

#include <algorithm>

#include "tests/security/authority/hostile_controller/victim.h"
#include "tests/support/status_matchers.h"

namespace cordon::testing {
namespace {

using Outcome = v1::OrderOutcome;
using ::testing::Contains;
using ::testing::HasSubstr;

class OrderGateTest : public ::testing::Test {
 protected:
  OrderGateTest() {
    victim_.OnAnswer([this](const Outcome& outcome) { answers_.push_back(outcome); });
  }

  v1::Order Scan() {
    v1::Order order = make_.Blank();
    order.mutable_scan()->mutable_spec()->mutable_integrity();
    return order;
  }
  v1::Order Pause(const std::string& scan) {
    v1::Order order = make_.Blank();
    order.mutable_pause_scan()->set_scan_order_id(scan);
    return order;
  }
  v1::Order Policy() {
    v1::Order order = make_.Blank();
    order.mutable_policy()->mutable_policy()->add_watched_paths("/srv");
    return order;
  }
  void Hear(const v1::Order& order) { victim_.Hear(SignedBy(order, {&people_.alex, &people_.sam})); }
  void End(const v1::Order& scan) {
    v1::ScanProgress end;
    end.set_order_id(scan.order_id());
    end.set_state(v1::ScanProgress::STATE_DONE);
    victim_.Gate().OnScanProgress(std::move(end));
  }

  // Kills the agent and starts it anew.
  void Restart() {
    answers_.clear();
    events_before_ = victim_.Events().Events().size();
    victim_.Start();
  }
  // Of the order since the last start, as answers; each also left as an event.
  std::vector<Outcome> Told(const v1::Order& order) {
    std::vector<Outcome> told;
    std::ranges::copy_if(answers_, std::back_inserter(told),
                         [&](const Outcome& outcome) { return outcome.order_id() == order.order_id(); });
    size_t events = 0;
    const auto all = victim_.Events().Events();
    for (size_t i = events_before_; i < all.size(); ++i)
      events += all[i].event.order_outcome().order_id() == order.order_id();
    EXPECT_EQ(events, told.size());
    return told;
  }
  void ExpectTold(const v1::Order& order, Outcome::State state, const std::string& message = "") {
    const std::vector<Outcome> told = Told(order);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].state(), state) << told[0].message();
    EXPECT_THAT(told[0].message(), HasSubstr(message));
  }

  // What an operator did not order, over what was.
  void IsolatesItself() {
    v1::SelfIsolation allowed;
    allowed.set_level(v1::LEVEL_ESSENTIAL);
    allowed.mutable_lease()->mutable_length()->set_seconds(3'600);
    ASSERT_THAT(victim_.TheIsolation().TakeByItself(allowed, "a tripwire"), IsOk());
  }

  std::vector<Outcome> answers_;
  size_t events_before_ = 0;
  People people_;
  Victim victim_{people_.bundle};
  OrderMaker make_{victim_, people_};
};

// Killed when the host was isolated, and had told nobody.
TEST_F(OrderGateTest, AnIsolationThatACrashCutOffIsToldAtTheNextStart) {
  const v1::Order order = make_.Isolate(v1::LEVEL_ESSENTIAL);
  ASSERT_THAT(victim_.TheIsolation().Set(order.isolate(), order.order_id(), order.sequence()), IsOk());
  EXPECT_TRUE(Told(order).empty());
  Restart();
  ExpectTold(order, Outcome::STATE_DONE);
  EXPECT_EQ(Told(order)[0].receipt().enforced_level(), v1::LEVEL_ESSENTIAL);
  EXPECT_EQ(victim_.Standing().level, v1::LEVEL_ESSENTIAL);
}

// Killed when it was recorded, before the spool had it.
TEST_F(OrderGateTest, WhatBecameOfTheNewestOrderOfEachLaneIsToldAtEachStart) {
  const std::vector<v1::Order> orders = {make_.Isolate(v1::LEVEL_ESSENTIAL), Policy()};
  for (const v1::Order& order : orders) Hear(order);
  for (int start = 0; start < 2; ++start) {
    Restart();
    for (const v1::Order& order : orders) ExpectTold(order, Outcome::STATE_DONE);
  }
  EXPECT_EQ(std::ranges::count(victim_.Effects(), "policy"), 1) << "it is told, and not done again";
}

TEST_F(OrderGateTest, AScansEndIsToldAtEachStartAlsoWhenItsLaneHasForgottenIt) {
  const v1::Order scan = Scan();
  const v1::Order pause = Pause(scan.order_id());
  Hear(scan);
  Hear(pause);
  End(scan);
  EXPECT_FALSE(victim_.FindScan(scan.order_id()).ok()) << "the host has forgotten it";
  for (int start = 0; start < 2; ++start) {
    Restart();
    ExpectTold(scan, Outcome::STATE_DONE);
    ExpectTold(pause, Outcome::STATE_DONE);
  }
}

// Killed when the end was recorded, and the host had not yet forgotten the scan.
TEST_F(OrderGateTest, AScanWhoseEndIsRecordedDoesNotGoOn) {
  const v1::Order scan = Scan();
  Hear(scan);
  End(scan);
  ASSERT_THAT(victim_.Scan(scan.order_id(), {}), IsOk());
  Restart();
  ExpectTold(scan, Outcome::STATE_DONE);
  EXPECT_FALSE(victim_.FindScan(scan.order_id()).ok());
}

TEST_F(OrderGateTest, AScanOfWhichNothingIsLeftHasFailed) {
  const v1::Order scan = Scan();
  Hear(scan);
  Restart();
  ExpectTold(scan, Outcome::STATE_RUNNING);  // the positive control
  victim_.LoseScans();
  Restart();
  ExpectTold(scan, Outcome::STATE_FAILED, "lost the scan's place");
  Restart();
  ExpectTold(scan, Outcome::STATE_FAILED);
}

TEST_F(OrderGateTest, APausedScanOfWhichNothingIsLeftHasFailed) {
  const v1::Order scan = Scan();
  Hear(scan);
  Hear(Pause(scan.order_id()));
  victim_.LoseScans();
  Restart();
  ExpectTold(scan, Outcome::STATE_FAILED, "lost the scan's place");
}

// Accepted and on disk; the crash came before its effect.
class CutOffOrder : public OrderGateTest {
 protected:
  void CutOff(const v1::Order& order) {
    agent::LaneRecord record{
        .sequence = order.sequence(), .order_id = order.order_id(), .outcome = {}, .order = {}};
    record.order = SignedBy(order, {&people_.alex, &people_.sam});
    ASSERT_THAT(victim_.Lanes().Write(LaneOf(order), record), IsOk());
  }
  size_t Scans() const { return victim_.Effects().size(); }
};

TEST_F(CutOffOrder, HasItsEffectAtTheNextStartInItsTime) {
  const v1::Order scan = Scan();
  CutOff(scan);
  Restart();
  ExpectTold(scan, Outcome::STATE_RUNNING);
  EXPECT_EQ(Scans(), 1U);
}

TEST_F(CutOffOrder, HasNoneWhenItsTimeHasPassedAndIsRefusedOnce) {
  const v1::Order scan = Scan();
  CutOff(scan);
  victim_.Time().Advance(2 * TestFleet::kHour);
  for (int start = 0; start < 2; ++start) {
    Restart();
    ExpectTold(scan, Outcome::STATE_EXPIRED, "the order expired at");
    EXPECT_EQ(Scans(), 0U);
  }
  EXPECT_EQ(Must(victim_.Lanes().Read(kScanLane))->outcome.state(), Outcome::STATE_EXPIRED);
}

// The crash came between the scan's first step and the record that it runs.
TEST_F(CutOffOrder, GoesOnWhenItHadBegunInItsTime) {
  const v1::Order scan = Scan();
  CutOff(scan);
  ASSERT_THAT(victim_.Scan(scan.order_id(), {}), IsOk());
  victim_.Time().Advance(2 * TestFleet::kHour);
  Restart();
  ExpectTold(scan, Outcome::STATE_RUNNING);
}

// The crash came when the policy was on disk, and before the record of that.
TEST_F(CutOffOrder, IsDoneWhenItsPolicyIsInForceWhateverTimeHasPassed) {
  const v1::Order policy = Policy();
  CutOff(policy);
  ASSERT_THAT(victim_.Lanes().WritePolicy(policy.policy().policy()), IsOk());
  victim_.Time().Advance(2 * TestFleet::kHour);
  for (int start = 0; start < 2; ++start) {
    Restart();
    ExpectTold(policy, Outcome::STATE_DONE);
  }
  EXPECT_EQ(Must(victim_.Lanes().Read(kPolicyLane))->outcome.state(), Outcome::STATE_DONE);
}

TEST_F(CutOffOrder, APolicyThatNeverCameIntoForceIsExpiredAfterItsTime) {
  const v1::Order policy = Policy();
  CutOff(policy);
  victim_.Time().Advance(2 * TestFleet::kHour);
  Restart();
  ExpectTold(policy, Outcome::STATE_EXPIRED, "the order expired at");
}

TEST_F(CutOffOrder, IsRefusedForGoodWhenItsOperatorsAreGone) {
  const v1::Order scan = Scan();
  CutOff(scan);
  agent::LaneRecord record = *Must(victim_.Lanes().Read(kScanLane));
  record.order.clear_signatures();
  AddSignature(people_.mallory, &record.order);
  ASSERT_THAT(victim_.Lanes().Write(kScanLane, record), IsOk());
  Restart();
  ExpectTold(scan, Outcome::STATE_REFUSED, "is not in the trust bundle");
  EXPECT_EQ(Must(victim_.Lanes().Read(kScanLane))->outcome.state(), Outcome::STATE_REFUSED);
  EXPECT_EQ(Scans(), 0U);
}

// What fails for what may pass is tried again while the agent runs.
class FailedOrder : public OrderGateTest {
 protected:
  // Seconds pass; what is told of the order meanwhile.
  std::vector<Outcome::State> Wait(const v1::Order& order, int seconds) {
    answers_.clear();
    for (int i = 0; i < seconds; ++i) {
      victim_.Time().Advance(kNanosPerSecond);
      victim_.Gate().Tick();
    }
    std::vector<Outcome::State> states;
    for (const Outcome& outcome : answers_)
      if (outcome.order_id() == order.order_id()) states.push_back(outcome.state());
    return states;
  }
};

TEST_F(FailedOrder, AnIsolationIsTriedAgainLaterAndLaterAndToldWhenItIsDone) {
  const v1::Order order = make_.Isolate(v1::LEVEL_ESSENTIAL);
  victim_.Filter().FailApply(absl::InternalError("no memory"));
  Hear(order);
  EXPECT_EQ(victim_.Answer().state(), Outcome::STATE_FAILED);
  const size_t attempts = Wait(order, 600).size();
  EXPECT_GE(attempts, 5U);
  EXPECT_LE(attempts, 20U) << "later and later";
  const size_t events = victim_.Events().Events().size();
  Wait(order, 120);
  EXPECT_EQ(victim_.Events().Events().size(), events) << "it is an event once";
  victim_.Filter().FailApply(absl::OkStatus());
  EXPECT_THAT(Wait(order, 61), Contains(Outcome::STATE_DONE));
  EXPECT_EQ(victim_.Standing().level, v1::LEVEL_ESSENTIAL);
  EXPECT_TRUE(Wait(order, 120).empty()) << "and no more";
}

TEST_F(FailedOrder, AnIsolationIsNotTriedAgainWhenANewerOneCame) {
  const v1::Order order = make_.Isolate(v1::LEVEL_DARK);
  victim_.Filter().FailApply(absl::InternalError("no memory"));
  Hear(order);
  victim_.Filter().FailApply(absl::OkStatus());
  Hear(make_.Isolate(v1::LEVEL_ESSENTIAL));
  EXPECT_TRUE(Wait(order, 120).empty());
  EXPECT_EQ(victim_.Standing().level, v1::LEVEL_ESSENTIAL);
}

// ISO-5: the release was for what stood when it was given.
TEST_F(FailedOrder, ISO5_AReleaseIsNotTriedAgainAfterTheHostHasIsolatedItself) {
  for (const bool by_itself : {false, true}) {
    Hear(make_.Isolate(v1::LEVEL_NO_LATERAL));
    const v1::Order release = make_.Release();
    victim_.Filter().FailApply(absl::InternalError("no memory"));
    Hear(release);
    EXPECT_EQ(victim_.Answer().state(), Outcome::STATE_FAILED);
    victim_.Filter().FailApply(absl::OkStatus());
    if (by_itself) IsolatesItself();
    EXPECT_THAT(Wait(release, 61), Contains(by_itself ? Outcome::STATE_REFUSED : Outcome::STATE_DONE));
    EXPECT_EQ(victim_.Standing().level, by_itself ? v1::LEVEL_ESSENTIAL : v1::LEVEL_OBSERVE);
  }
}

// And its rules cannot be read back at that moment.
TEST_F(FailedOrder, ISO5_AReleaseIsNotTriedAgainThenWhateverCanBeReadOfTheRules) {
  Hear(make_.Isolate(v1::LEVEL_NO_LATERAL));
  const v1::Order release = make_.Release();
  victim_.Filter().FailApply(absl::InternalError("no memory"));
  Hear(release);
  ASSERT_EQ(victim_.Answer().state(), Outcome::STATE_FAILED);
  victim_.Filter().FailApply(absl::OkStatus());
  IsolatesItself();
  victim_.Filter().FailReadBack(absl::InternalError("no memory"));
  EXPECT_THAT(Wait(release, 61), Contains(Outcome::STATE_REFUSED));
  EXPECT_EQ(victim_.Standing().level, v1::LEVEL_ESSENTIAL);
}

// An older one that comes late, or the one that is in force again, while a newer one waits.
TEST_F(FailedOrder, ISO9_AnOlderOneNeitherTakesThePlaceOfTheNewestNorEndsItsTries) {
  const v1::Order in_force = make_.Isolate(v1::LEVEL_NO_LATERAL);
  Hear(in_force);
  const v1::Order late = make_.Release();
  const v1::Order newest = make_.Isolate(v1::LEVEL_DARK);
  victim_.Filter().FailApply(absl::InternalError("no memory"));
  Hear(newest);
  ASSERT_EQ(victim_.Answer().state(), Outcome::STATE_FAILED);
  Hear(late);
  EXPECT_EQ(victim_.Answer().state(), Outcome::STATE_SUPERSEDED) << victim_.Answer().message();
  victim_.Filter().FailApply(absl::OkStatus());
  Hear(late);
  EXPECT_EQ(victim_.Answer().state(), Outcome::STATE_SUPERSEDED) << victim_.Answer().message();
  Hear(in_force);
  EXPECT_EQ(victim_.Answer().state(), Outcome::STATE_DONE) << victim_.Answer().message();
  EXPECT_EQ(victim_.Standing().level, v1::LEVEL_NO_LATERAL);
  EXPECT_THAT(Wait(newest, 61), Contains(Outcome::STATE_DONE));
  EXPECT_EQ(victim_.Standing().level, v1::LEVEL_DARK);
}

TEST_F(FailedOrder, AnIsolationIsNotTriedAgainAfterItsTime) {
  const v1::Order order = make_.Isolate(v1::LEVEL_ESSENTIAL);
  victim_.Filter().FailApply(absl::InternalError("no memory"));
  Hear(order);
  victim_.Time().Advance(TestFleet::kHour);
  victim_.Filter().FailApply(absl::OkStatus());
  EXPECT_TRUE(Wait(order, 120).empty());
  EXPECT_EQ(victim_.Standing().level, 1);
}

TEST_F(FailedOrder, AChangeOfTrustIsTriedAgain) {
  const v1::Order order = make_.ChangeTrust(people_.Next({&people_.alex, &people_.sam}));
  // Its file cannot be replaced while a folder has its name.
  const auto file = victim_.Folder() / agent::kTrustOrderFile;
  std::filesystem::create_directories(file / "in the way");
  Hear(order);
  EXPECT_EQ(victim_.Answer().state(), Outcome::STATE_FAILED) << victim_.Answer().message();
  EXPECT_EQ(victim_.Standing().trust_version, 1U);
  std::filesystem::remove_all(file);
  EXPECT_THAT(Wait(order, 10), Contains(Outcome::STATE_DONE));
  EXPECT_EQ(victim_.Standing().trust_version, 2U);
}

}  // namespace
}  // namespace cordon::testing
