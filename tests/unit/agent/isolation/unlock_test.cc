// What an unlock by phone does to the level, and how it ends (AUT-5).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "agent/isolation/isolation.h"
#include "agent/isolation/state.h"
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

constexpr int64_t kHour = 3'600 * kNanosPerSecond;
constexpr int64_t kTenYears = 10LL * 365 * 24 * kHour;

class UnlockTest : public ::testing::Test {
 protected:
  UnlockTest() { StartAgent(); }

  // A new process of the agent, or of the keeper, on the same host.
  void StartAgent(const std::string& boot_id = "boot-1", bool hold = false) {
    isolation_ = std::make_unique<Isolation>(
        agent::IsolationParts{.filter = &filter_,
                              .connections = &connections_,
                              .clock = &clock_,
                              .events = &events_,
                              .escape = nullptr,
                              .channel = &channel_},
        agent::IsolationOptions{.state_file = folder_ / "isolation.state", .boot_id = boot_id, .hold = hold});
  }
  void Reboot(const std::string& boot_id) {
    filter_.Lose();
    clock_.Reboot();
    clock_.Advance(5 * kNanosPerSecond);
    StartAgent(boot_id);
  }

  Level Enforced() const { return filter_.Held().has_value() ? filter_.Held()->level : Level::kObserve; }
  void Isolate(v1::Level level, uint64_t sequence = 1) {
    ASSERT_THAT(isolation_->Set(testing::Isolate(level), "order", sequence), IsOk());
  }
  absl::StatusOr<v1::Receipt> Unlock(v1::Level level, int64_t length = 4 * kHour) {
    v1::Unlock unlock;
    unlock.set_level(level);
    unlock.set_length_nanos(length);
    unlock.set_operator_id("alex");
    return isolation_->Unlock(unlock);
  }
  std::vector<std::string> Causes() const {
    std::vector<std::string> causes;
    for (const RecordedEvent& event : events_.Events()) {
      if (event.event.has_isolation_changed()) causes.push_back(event.event.isolation_changed().cause());
    }
    return causes;
  }
  // Why unlocks ended, as events of the class that is never dropped.
  std::vector<std::string> Ends() const {
    std::vector<std::string> ends;
    for (const RecordedEvent& event : events_.Events()) {
      if (!event.event.has_unlock_attempt()) continue;
      EXPECT_EQ(event.event_class, v1::EVENT_CLASS_CONTROL);
      EXPECT_EQ(event.event.unlock_attempt().result(), v1::UnlockAttempt::RESULT_ENDED);
      ends.push_back(event.event.unlock_attempt().detail());
    }
    return ends;
  }

  TempFolder folder_;
  FakeClock clock_;
  FakePacketFilter filter_;
  FakeConnections connections_;
  FakeChannelProbe channel_;
  RecordingSink events_;
  std::unique_ptr<Isolation> isolation_;
};

TEST_F(UnlockTest, AUT5_LowersTheLevelForATimeAndTheOrderedOneComesBack) {
  Isolate(v1::LEVEL_ESSENTIAL);
  const auto receipt = Unlock(v1::LEVEL_OBSERVE);
  ASSERT_THAT(receipt, IsOk());
  EXPECT_EQ(Enforced(), Level::kObserve);
  EXPECT_EQ(receipt->enforced_level(), v1::LEVEL_OBSERVE);
  EXPECT_EQ(receipt->intended_level(), v1::LEVEL_ESSENTIAL);
  EXPECT_EQ(receipt->containment(), v1::CONTAINMENT_OPEN);
  EXPECT_THAT(
      receipt->reasons(),
      ElementsAre("unlocked by phone to observe for another 4h by operator alex; ordered is essential"));
  EXPECT_EQ(isolation_->LevelMeant(), v1::LEVEL_OBSERVE);

  clock_.Advance(4 * kHour - kNanosPerSecond);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kObserve);
  clock_.Advance(kNanosPerSecond);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kEssential);
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_CONTAINED);
  EXPECT_EQ(isolation_->LevelMeant(), v1::LEVEL_ESSENTIAL);
  EXPECT_THAT(Causes(), ElementsAre("order", "unlocked by phone", "unlock ended"));
  EXPECT_THAT(Ends(), ElementsAre("its time is over"));
}

TEST_F(UnlockTest, AUT5_ToALevelBetweenIsPartialAndSaysSo) {
  Isolate(v1::LEVEL_DARK);
  const auto receipt = Unlock(v1::LEVEL_NO_LATERAL);
  ASSERT_THAT(receipt, IsOk());
  EXPECT_EQ(Enforced(), Level::kNoLateral);
  EXPECT_EQ(receipt->containment(), v1::CONTAINMENT_PARTIAL);
}

TEST_F(UnlockTest, AUT5_OnlyEverLowersTheLevel) {
  EXPECT_THAT(Unlock(v1::LEVEL_OBSERVE), Fails(absl::StatusCode::kFailedPrecondition, "not isolated"));
  Isolate(v1::LEVEL_NO_LATERAL);
  EXPECT_THAT(Unlock(v1::LEVEL_ESSENTIAL),
              Fails(absl::StatusCode::kFailedPrecondition, "not above essential"));
  EXPECT_THAT(Unlock(v1::LEVEL_NO_LATERAL),
              Fails(absl::StatusCode::kFailedPrecondition, "not above no-lateral"));
  EXPECT_EQ(Enforced(), Level::kNoLateral);
  EXPECT_THAT(Unlock(v1::LEVEL_OBSERVE), IsOk());
}

TEST_F(UnlockTest, AUT5_EndsByTheBootClockAloneWhateverTheWallClockSays) {
  Isolate(v1::LEVEL_DARK);
  ASSERT_THAT(Unlock(v1::LEVEL_OBSERVE), IsOk());
  for (const int64_t shift : {-kTenYears, 2 * kTenYears, -kTenYears}) {
    clock_.SetWall(clock_.WallNanos() + shift);
    isolation_->Tick();
    EXPECT_EQ(Enforced(), Level::kObserve);
  }
  clock_.SetWall(0);
  clock_.Advance(4 * kHour);
  clock_.SetWall(0);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kDark);
}

TEST_F(UnlockTest, AUT5_GoesOnAfterAKillAndAReboot) {
  Isolate(v1::LEVEL_DARK);
  ASSERT_THAT(Unlock(v1::LEVEL_OBSERVE), IsOk());
  clock_.Advance(kHour);
  StartAgent();  // killed: what stood in the kernel still does
  ASSERT_THAT(isolation_->Restore(), IsOk());
  EXPECT_EQ(Enforced(), Level::kObserve);
  Reboot("boot-2");
  ASSERT_THAT(isolation_->Restore(), IsOk());
  EXPECT_EQ(Enforced(), Level::kObserve);
  EXPECT_THAT(isolation_->ReadReceipt().reasons(0),
              HasSubstr("unlocked by phone to observe for another 2h59m"));
  clock_.Advance(3 * kHour);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kDark);
}

TEST_F(UnlockTest, AUT5_OneThatEndedMeanwhileOpensNothingAtTheStart) {
  Isolate(v1::LEVEL_DARK);
  ASSERT_THAT(Unlock(v1::LEVEL_OBSERVE), IsOk());
  clock_.Advance(4 * kHour);
  StartAgent();
  const size_t before = filter_.History().size();
  ASSERT_THAT(isolation_->Restore(), IsOk());
  ASSERT_EQ(filter_.History().size(), before + 1);
  EXPECT_EQ(filter_.History().back().level, Level::kDark) << "and at no moment anything else";
  EXPECT_THAT(Ends(), ElementsAre("its time was over when the agent started"));
}

TEST_F(UnlockTest, AUT5_RebootsDoNotProlongIt) {
  Isolate(v1::LEVEL_DARK);
  ASSERT_THAT(Unlock(v1::LEVEL_OBSERVE, kHour), IsOk());
  // Each time for 30 s, of which 5 are the boot: 120 times is an hour.
  int boots = 0;
  while (Enforced() == Level::kObserve && boots < 200) {
    Reboot("boot-again-" + std::to_string(++boots));
    ASSERT_THAT(isolation_->Restore(), IsOk());
    for (int second = 0; second < 25; ++second) {
      clock_.Advance(kNanosPerSecond);
      isolation_->Tick();
    }
  }
  EXPECT_LE(boots, 145) << "at most ten seconds of each are lost";
  EXPECT_EQ(Enforced(), Level::kDark);
}

TEST_F(UnlockTest, AUT5_ANewerOrderEndsItAndARepeatDoesNot) {
  Isolate(v1::LEVEL_ESSENTIAL);
  ASSERT_THAT(Unlock(v1::LEVEL_OBSERVE), IsOk());
  ASSERT_THAT(isolation_->Set(testing::Isolate(v1::LEVEL_ESSENTIAL), "order", 1), IsOk())
      << "delivered again";
  EXPECT_EQ(Enforced(), Level::kObserve);
  ASSERT_THAT(isolation_->Set(testing::Isolate(v1::LEVEL_ESSENTIAL), "order-2", 2), IsOk());
  EXPECT_EQ(Enforced(), Level::kEssential);
  EXPECT_THAT(Ends(), ElementsAre("order order-2 took its place"));
  clock_.Advance(5 * kHour);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kEssential);
}

TEST_F(UnlockTest, AUT5_AReleaseEndsItAndNothingComesBack) {
  Isolate(v1::LEVEL_ESSENTIAL);
  ASSERT_THAT(Unlock(v1::LEVEL_NO_LATERAL), IsOk());
  ASSERT_THAT(isolation_->Release("order-2", 2), IsOk());
  clock_.Advance(5 * kHour);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kObserve);
  EXPECT_EQ(Ends().size(), 1U);
}

TEST_F(UnlockTest, AUT5_TheLeaseBelowItGoesOn) {
  ASSERT_THAT(isolation_->Set(WithLease(testing::Isolate(v1::LEVEL_DARK), 2 * 3'600, v1::LEVEL_ESSENTIAL),
                              "order", 1),
              IsOk());
  ASSERT_THAT(Unlock(v1::LEVEL_OBSERVE, 3 * kHour), IsOk());
  clock_.Advance(2 * kHour);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kObserve) << "the lease has ended, the unlock has not";
  clock_.Advance(kHour);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kEssential) << "what the lease leaves";
}

TEST_F(UnlockTest, AUT5_ItsEndKeepsNoLeaseFromEnding) {
  ASSERT_THAT(
      isolation_->Set(WithLease(testing::Isolate(v1::LEVEL_DARK), 3'600, v1::LEVEL_ESSENTIAL), "order", 1),
      IsOk());
  ASSERT_THAT(Unlock(v1::LEVEL_OBSERVE, kHour), IsOk());
  clock_.Advance(kHour);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kEssential) << "what the lease leaves";
  EXPECT_THAT(Ends(), ElementsAre("its time is over"));
}

TEST_F(UnlockTest, AUT5_ALeaseThatOpensTheHostEndsItToo) {
  ASSERT_THAT(isolation_->Set(WithLease(testing::Isolate(v1::LEVEL_DARK), 3'600), "order", 1), IsOk());
  ASSERT_THAT(Unlock(v1::LEVEL_OBSERVE), IsOk());
  clock_.Advance(kHour);
  isolation_->Tick();
  clock_.Advance(5 * kHour);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kObserve);
  EXPECT_THAT(Ends(), ElementsAre("lease ended"));
}

// The dead controller, which is why somebody called, must not open the host for good (ISO-4).
TEST_F(UnlockTest, AUT5_DoesNotMakeTheOrdersFallbackStepDown) {
  ASSERT_THAT(isolation_->Set(testing::Isolate(v1::LEVEL_ESSENTIAL, v1::FALLBACK_STEP_DOWN), "order", 1),
              IsOk());
  channel_.Answer(absl::OkStatus());
  ASSERT_THAT(Unlock(v1::LEVEL_OBSERVE, kHour), IsOk());
  clock_.Advance(kHour);
  isolation_->Tick();
  EXPECT_FALSE(channel_.Asked()) << "it was decided when the order came";
  EXPECT_EQ(Enforced(), Level::kEssential);
}

TEST_F(UnlockTest, AUT5_AProofThatCameWhileUnlockedDecidesNothing) {
  ASSERT_THAT(isolation_->Set(testing::Isolate(v1::LEVEL_ESSENTIAL, v1::FALLBACK_STEP_DOWN), "order", 1),
              IsOk());
  ASSERT_THAT(Unlock(v1::LEVEL_OBSERVE, kHour), IsOk());
  channel_.Answer(absl::UnavailableError("no answer"));
  clock_.Advance(kHour);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kEssential);
  EXPECT_TRUE(channel_.Asked()) << "now it is decided";
}

TEST_F(UnlockTest, AUT5_FreesAHostThatDamageHasClosed) {
  Isolate(v1::LEVEL_ESSENTIAL);
  std::ofstream(folder_ / "isolation.state") << "nonsense";
  Reboot("boot-2");
  ASSERT_THAT(isolation_->Restore(), Fails(absl::StatusCode::kDataLoss, "closed but for its controllers"));
  ASSERT_EQ(Enforced(), Level::kControllerOnly);
  const auto receipt = Unlock(v1::LEVEL_OBSERVE, kHour);
  ASSERT_THAT(receipt, IsOk());
  EXPECT_EQ(Enforced(), Level::kObserve);
  EXPECT_THAT(receipt->reasons(),
              ElementsAre(HasSubstr("ordered is controller-only"), HasSubstr("isolation state")));
  StartAgent("boot-2");
  ASSERT_THAT(isolation_->Restore(), Fails(absl::StatusCode::kDataLoss, "unlocked by phone"));
  EXPECT_EQ(Enforced(), Level::kObserve);
  clock_.Advance(kHour);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_UNCERTAIN)
      << "what was ordered is still not known";
}

TEST_F(UnlockTest, AUT5_OfAHostThatDamageHasClosedIsNotKeptBeyondItsTime) {
  Isolate(v1::LEVEL_ESSENTIAL);
  std::ofstream(folder_ / "isolation.state") << "nonsense";
  Reboot("boot-2");
  ASSERT_FALSE(isolation_->Restore().ok());
  ASSERT_THAT(Unlock(v1::LEVEL_NO_LATERAL, kHour), IsOk());
  clock_.Advance(kHour);
  StartAgent("boot-2");  // with the unlock's rules in the kernel still
  ASSERT_FALSE(isolation_->Restore().ok());
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
}

TEST_F(UnlockTest, AUT5_TheHoldSinceBootStandsOverIt) {
  Isolate(v1::LEVEL_DARK);
  ASSERT_THAT(Unlock(v1::LEVEL_OBSERVE), IsOk());
  filter_.Lose();
  StartAgent("boot-2", /*hold=*/true);
  ASSERT_THAT(isolation_->Restore(), IsOk());
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
  isolation_->EndHold("nobody answered in time");
  EXPECT_EQ(Enforced(), Level::kObserve);
}

TEST_F(UnlockTest, AUT5_WhenTheKernelRefusesNothingHasChangedAndTheEndIsTriedAgain) {
  Isolate(v1::LEVEL_DARK);
  filter_.FailApply(absl::InternalError("the kernel says no"));
  EXPECT_FALSE(Unlock(v1::LEVEL_OBSERVE).ok());
  EXPECT_EQ(isolation_->LevelMeant(), v1::LEVEL_DARK);
  filter_.FailApply(absl::OkStatus());
  ASSERT_THAT(Unlock(v1::LEVEL_OBSERVE, kHour), IsOk());
  clock_.Advance(kHour);
  filter_.FailApply(absl::InternalError("the kernel says no"));
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kObserve);
  filter_.FailApply(absl::OkStatus());
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kDark);
}

TEST_F(UnlockTest, AUT5_ASecondOneTakesThePlaceOfTheFirst) {
  Isolate(v1::LEVEL_DARK);
  ASSERT_THAT(Unlock(v1::LEVEL_OBSERVE, kHour), IsOk());
  ASSERT_THAT(Unlock(v1::LEVEL_ESSENTIAL, 2 * kHour), IsOk());
  EXPECT_EQ(Enforced(), Level::kEssential);
  clock_.Advance(kHour);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kEssential);
  clock_.Advance(kHour);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kDark);
}

}  // namespace
}  // namespace cordon::testing
