// What a signed policy lets the agent do by itself, and what ends it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/isolation/isolation.h"
#include "agent/isolation/self_isolator.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_connections.h"
#include "tests/fakes/fake_packet_filter.h"
#include "tests/fakes/fake_probes.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/actions.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {
namespace {

using agent::Isolation;
using platform::Level;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kMinute = 60 * kNanosPerSecond;
constexpr int64_t kHour = 60 * kMinute;

class SelfIsolationTest : public ::testing::Test {
 protected:
  SelfIsolationTest() { StartAgent(); }

  void StartAgent() {
    isolation_ = std::make_unique<Isolation>(
        agent::IsolationParts{.filter = &filter_,
                              .connections = &connections_,
                              .clock = &clock_,
                              .events = &events_,
                              .escape = nullptr,
                              .channel = &channel_},
        agent::IsolationOptions{.state_file = folder_ / "isolation.state", .boot_id = "boot-1"});
  }

  static v1::SelfIsolation ForAnHour(v1::Level level = v1::LEVEL_ESSENTIAL) {
    v1::SelfIsolation allowed;
    allowed.set_level(level);
    allowed.mutable_lease()->mutable_length()->set_seconds(3'600);
    return allowed;
  }
  absl::StatusOr<v1::Receipt> TakeByItself(v1::Level level = v1::LEVEL_ESSENTIAL) {
    return isolation_->TakeByItself(ForAnHour(level), "tripwire: a test");
  }
  void Unlock(v1::Level level, int64_t length) {
    v1::Unlock unlock;
    unlock.set_level(level);
    unlock.set_length_nanos(length);
    unlock.set_operator_id("alex");
    ASSERT_THAT(isolation_->Unlock(unlock), IsOk());
  }
  void Pass(int64_t nanos) {
    clock_.Advance(nanos);
    isolation_->Tick();
  }
  Level Enforced() const { return filter_.Held().has_value() ? filter_.Held()->level : Level::kObserve; }
  std::string LastCause() const {
    std::string cause;
    for (const RecordedEvent& event : events_.Events()) {
      if (event.event.has_isolation_changed()) cause = event.event.isolation_changed().cause();
    }
    return cause;
  }

  TempFolder folder_;
  FakeClock clock_;
  FakePacketFilter filter_;
  FakeConnections connections_;
  FakeChannelProbe channel_;
  RecordingSink events_;
  std::unique_ptr<Isolation> isolation_;
};

TEST_F(SelfIsolationTest, TakesTheLevelAndSaysWhy) {
  ASSERT_THAT(TakeByItself(), IsOk());
  EXPECT_EQ(Enforced(), Level::kEssential);
  EXPECT_EQ(LastCause(), "tripwire: a test");
}

TEST_F(SelfIsolationTest, TheLeaseEndsAtTheLevelThatStoodBefore) {
  ASSERT_THAT(isolation_->Set(testing::Isolate(v1::LEVEL_NO_LATERAL), "order", 5), IsOk());
  ASSERT_THAT(TakeByItself(), IsOk());
  clock_.Advance(3'601 * kNanosPerSecond);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kNoLateral);
}

TEST_F(SelfIsolationTest, NeverLowersALevel) {
  ASSERT_THAT(isolation_->Set(testing::Isolate(v1::LEVEL_DARK), "order", 5), IsOk());
  ASSERT_THAT(TakeByItself(), IsOk());
  EXPECT_EQ(Enforced(), Level::kDark);
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_CONTAINED);
  Pass(kHour);
  EXPECT_EQ(Enforced(), Level::kDark);
}

TEST_F(SelfIsolationTest, ASecondOneOfNoHigherLevelChangesNothing) {
  ASSERT_THAT(TakeByItself(), IsOk());
  Pass(30 * kMinute);
  for (const v1::Level level : {v1::LEVEL_ESSENTIAL, v1::LEVEL_NO_LATERAL})
    EXPECT_EQ(TakeByItself(level).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(isolation_->TimesByItself(), 1U);
  Pass(30 * kMinute);
  EXPECT_EQ(Enforced(), Level::kObserve);
}

TEST_F(SelfIsolationTest, ISO8_BelowAnOrderThatStandsAsHighItHoldsWhenTheLeaseOfThatEnds) {
  ASSERT_THAT(isolation_->Set(WithLease(testing::Isolate(v1::LEVEL_ESSENTIAL), 300), "order", 5), IsOk());
  ASSERT_THAT(TakeByItself(), IsOk());
  Pass(5 * kMinute);
  EXPECT_EQ(LastCause(), "lease ended");
  EXPECT_EQ(Enforced(), Level::kEssential);
  for (const platform::FilterPolicy& policy : filter_.History()) {
    EXPECT_EQ(policy.level, Level::kEssential) << "and never open in between";
  }
  Pass(55 * kMinute);
  EXPECT_EQ(Enforced(), Level::kObserve);
}

TEST_F(SelfIsolationTest, ISO9_TheNextOrderOfAnybodyTakesItsPlaceAndAnOldOneDoesNot) {
  ASSERT_THAT(isolation_->Set(testing::Isolate(v1::LEVEL_NO_LATERAL), "order", 5), IsOk());
  ASSERT_THAT(TakeByItself(), IsOk());
  EXPECT_EQ(isolation_->Lane().sequence(), 5U);
  EXPECT_EQ(isolation_->Release("old", 4).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Enforced(), Level::kEssential);
  ASSERT_THAT(isolation_->Release("new", 6), IsOk());
  EXPECT_EQ(Enforced(), Level::kObserve);
}

TEST_F(SelfIsolationTest, ISO5_ARestartOfTheAgentOpensNothing) {
  ASSERT_THAT(TakeByItself(), IsOk());
  StartAgent();
  ASSERT_THAT(isolation_->Restore(), IsOk());
  EXPECT_EQ(Enforced(), Level::kEssential);
}

// A canary file is renamed while somebody works on an unlocked host: what was ordered is not forgotten.
TEST_F(SelfIsolationTest, AUT5_AnUnlockBelowItGoesOnAndTheOrderComesBack) {
  const v1::IsolateAction order = testing::Isolate(v1::LEVEL_CONTROLLER_ONLY);
  ASSERT_THAT(isolation_->Set(order, "order", 5), IsOk());
  Unlock(v1::LEVEL_OBSERVE, 90 * kMinute);
  const auto receipt = TakeByItself();
  ASSERT_THAT(receipt, IsOk());
  EXPECT_EQ(Enforced(), Level::kEssential);
  EXPECT_EQ(receipt->intended_level(), v1::LEVEL_CONTROLLER_ONLY);
  EXPECT_EQ(receipt->containment(), v1::CONTAINMENT_PARTIAL);
  Pass(kHour);
  EXPECT_EQ(Enforced(), Level::kObserve) << "its lease has ended, the unlock has not";
  ASSERT_THAT(isolation_->Set(order, "order", 5), IsOk()) << "delivered again";
  EXPECT_EQ(Enforced(), Level::kObserve);
  Pass(30 * kMinute);
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_CONTAINED);
  EXPECT_EQ(isolation_->ReadReceipt().order_id(), "order");
}

TEST_F(SelfIsolationTest, AUT5_AnUnlockThatEndsBelowItBringsTheOrderBackAtOnce) {
  ASSERT_THAT(isolation_->Set(testing::Isolate(v1::LEVEL_CONTROLLER_ONLY), "order", 5), IsOk());
  Unlock(v1::LEVEL_OBSERVE, 15 * kMinute);
  ASSERT_THAT(TakeByItself(), IsOk());
  Pass(15 * kMinute);
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
  Pass(kHour);
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
}

TEST_F(SelfIsolationTest, AUT5_AnUnlockThatComesAfterItOpensTheHostForItsTime) {
  ASSERT_THAT(TakeByItself(), IsOk());
  Unlock(v1::LEVEL_OBSERVE, 15 * kMinute);
  EXPECT_EQ(Enforced(), Level::kObserve);
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_OPEN);
  Pass(15 * kMinute);
  EXPECT_EQ(Enforced(), Level::kEssential);
  Pass(45 * kMinute);
  EXPECT_EQ(Enforced(), Level::kObserve);
  EXPECT_THAT(isolation_->MayUnlock(v1::LEVEL_OBSERVE).message(), HasSubstr("not isolated"));
}

TEST_F(SelfIsolationTest, ISO8_TheLeaseOfTheOrderBelowItGoesOn) {
  ASSERT_THAT(isolation_->Set(WithLease(testing::Isolate(v1::LEVEL_NO_LATERAL), 4 * 3'600), "order", 5),
              IsOk());
  ASSERT_THAT(TakeByItself(), IsOk());
  Pass(kHour);
  EXPECT_EQ(Enforced(), Level::kNoLateral);
  Pass(3 * kHour - kMinute);
  EXPECT_EQ(Enforced(), Level::kNoLateral);
  Pass(kMinute);
  EXPECT_EQ(Enforced(), Level::kObserve) << "the order was for four hours";
}

TEST_F(SelfIsolationTest, ISO8_ALeaseThatEndsBelowItEndsNothingElse) {
  ASSERT_THAT(isolation_->Set(WithLease(testing::Isolate(v1::LEVEL_NO_LATERAL), 1'800), "order", 5), IsOk());
  ASSERT_THAT(TakeByItself(), IsOk());
  Pass(30 * kMinute);
  EXPECT_EQ(Enforced(), Level::kEssential);
  EXPECT_EQ(isolation_->ReadReceipt().lease_remaining_nanos(), 30 * kMinute);
  Pass(30 * kMinute);
  EXPECT_EQ(Enforced(), Level::kObserve);
}

TEST_F(SelfIsolationTest, ISO4_TheFallbackOfTheOrderBelowItIsDecidedAfterIt) {
  ASSERT_THAT(
      isolation_->Set(testing::Isolate(v1::LEVEL_CONTROLLER_ONLY, v1::FALLBACK_STEP_DOWN), "order", 5),
      IsOk());
  Unlock(v1::LEVEL_OBSERVE, kHour);
  ASSERT_THAT(TakeByItself(), IsOk());
  channel_.Answer(absl::UnavailableError("no answer"));
  EXPECT_EQ(Enforced(), Level::kEssential) << "it holds";
  Pass(kHour);
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
  channel_.Answer(absl::UnavailableError("no answer"));
  EXPECT_EQ(Enforced(), Level::kEssential) << "as the order says";
}

TEST_F(SelfIsolationTest, TheProfileOfTheOrderIsBackAfterIt) {
  ASSERT_THAT(isolation_->Set(WithRule(testing::Isolate(v1::LEVEL_NO_LATERAL), v1::DIRECTION_OUT,
                                       v1::TRANSPORT_PROTOCOL_TCP, {"10.0.0.5"}, 445),
                              "order", 5),
              IsOk());
  ASSERT_THAT(TakeByItself(), IsOk());
  EXPECT_TRUE(filter_.Held()->allow.empty()) << "the policy names none";
  EXPECT_EQ(isolation_->ReadReceipt().profile_name(), "");
  Pass(kHour);
  EXPECT_EQ(filter_.Held()->allow.size(), 1U);
  EXPECT_EQ(isolation_->ReadReceipt().profile_name(), "clinic");
}

TEST_F(SelfIsolationTest, ISO5_ARestartKeepsWhatItStandsOnAndWhatIsLeftOfIt) {
  ASSERT_THAT(isolation_->Set(WithLease(testing::Isolate(v1::LEVEL_NO_LATERAL), 2 * 3'600), "order", 5),
              IsOk());
  ASSERT_THAT(TakeByItself(), IsOk());
  Pass(30 * kMinute);
  StartAgent();
  ASSERT_THAT(isolation_->Restore(), IsOk());
  EXPECT_EQ(Enforced(), Level::kEssential);
  EXPECT_EQ(isolation_->TimesByItself(), 1U);
  Pass(30 * kMinute);
  EXPECT_EQ(Enforced(), Level::kNoLateral);
  Pass(kHour);
  EXPECT_EQ(Enforced(), Level::kObserve);
}

TEST_F(SelfIsolationTest, WhenTheKernelRefusesNothingHasChangedAndTheEndIsTriedAgain) {
  ASSERT_THAT(isolation_->Set(testing::Isolate(v1::LEVEL_NO_LATERAL), "order", 5), IsOk());
  filter_.FailApply(absl::InternalError("the kernel says no"));
  EXPECT_FALSE(TakeByItself().ok());
  EXPECT_EQ(isolation_->LevelMeant(), v1::LEVEL_NO_LATERAL);
  EXPECT_EQ(isolation_->TimesByItself(), 0U);
  filter_.FailApply(absl::OkStatus());
  ASSERT_THAT(TakeByItself(), IsOk());
  filter_.FailApply(absl::InternalError("the kernel says no"));
  Pass(kHour);
  EXPECT_EQ(Enforced(), Level::kEssential);
  filter_.FailApply(absl::OkStatus());
  Pass(kNanosPerSecond);
  EXPECT_EQ(Enforced(), Level::kNoLateral);
}

// What the agent does with a tripwire that has fired.
class SelfIsolatorTest : public SelfIsolationTest {
 protected:
  void Begin() { isolator_.Begin(ForAnHour(), "tripwire: a test"); }
  // Seconds pass, and what the agent does in each.
  void Wait(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      Pass(kNanosPerSecond);
      isolator_.Tick();
    }
  }

  int tries_ = 0;
  std::vector<std::string> told_;
  agent::SelfIsolator isolator_{
      agent::SelfIsolator::Parts{.clock = clock_,
                                 .take =
                                     [this](const v1::SelfIsolation& allowed, const std::string& cause) {
                                       ++tries_;
                                       return isolation_->TakeByItself(allowed, cause).status();
                                     },
                                 .lane = [this] { return isolation_->Lane(); },
                                 .on_failure = [this](const std::string& what) { told_.push_back(what); }}};
};

TEST_F(SelfIsolatorTest, WhatTheKernelRefusesIsTriedAgainUntilItIsTakenAndToldOnce) {
  filter_.FailApply(absl::InternalError("the kernel says no"));
  Begin();
  Wait(30);
  EXPECT_EQ(Enforced(), Level::kObserve);
  EXPECT_THAT(told_, ElementsAre("not isolated by itself after a tripwire: a test: the kernel says no; it is "
                                 "tried again by itself"));
  filter_.FailApply(absl::OkStatus());
  Wait(1);
  EXPECT_EQ(Enforced(), Level::kEssential);
  const int tries = tries_;
  Wait(3'600);
  EXPECT_EQ(tries_, tries) << "it is taken once";
  EXPECT_EQ(Enforced(), Level::kObserve);
}

TEST_F(SelfIsolatorTest, ItIsNotTriedLongerThanItWouldHaveLasted) {
  filter_.FailApply(absl::InternalError("the kernel says no"));
  Begin();
  Wait(1);
  Pass(kHour);
  filter_.FailApply(absl::OkStatus());
  Wait(10);
  EXPECT_EQ(Enforced(), Level::kObserve);
}

TEST_F(SelfIsolatorTest, ISO9_ANewerOrderEndsTheTries) {
  filter_.FailApply(absl::InternalError("the kernel says no"));
  Begin();
  Wait(1);
  filter_.FailApply(absl::OkStatus());
  ASSERT_THAT(isolation_->Set(testing::Isolate(v1::LEVEL_NO_LATERAL), "order", 5), IsOk());
  Wait(10);
  EXPECT_EQ(Enforced(), Level::kNoLateral);
}

TEST_F(SelfIsolatorTest, WhatThisHostCannotEnforceIsToldAndNotTriedAgain) {
  v1::SelfIsolation allowed = ForAnHour();
  allowed.mutable_profile()->add_allow()->add_networks("nonsense");
  isolator_.Begin(allowed, "tripwire: a test");
  Wait(10);
  EXPECT_EQ(tries_, 1);
  EXPECT_EQ(told_.size(), 1U);
}

}  // namespace
}  // namespace cordon::testing
