// What a signed policy lets the agent do by itself, and what ends it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/isolation/isolation.h"
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

  absl::StatusOr<v1::Receipt> TakeByItself(v1::Level level = v1::LEVEL_ESSENTIAL) {
    v1::SelfIsolation allowed;
    allowed.set_level(level);
    allowed.mutable_lease()->mutable_length()->set_seconds(3'600);
    return isolation_->TakeByItself(allowed, "tripwire: a test");
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
  EXPECT_EQ(TakeByItself().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Enforced(), Level::kDark);
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

}  // namespace
}  // namespace cordon::testing
