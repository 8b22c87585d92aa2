// What a host does at boot: the saved state, a damaged one, and the hold until a controller has been asked.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string_view>

#include "agent/isolation/boot_hold.h"
#include "agent/isolation/isolation.h"
#include "agent/isolation/recovery.h"
#include "agent/isolation/state_file.h"
#include "common/base/strings.h"
#include "cordon/v1/gateway.pb.h"
#include "platform/api/files.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_connections.h"
#include "tests/fakes/fake_packet_filter.h"
#include "tests/fakes/fake_probes.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/actions.h"
#include "tests/support/host_certificate.h"
#include "tests/support/policies.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {
namespace {

using agent::BootHold;
using agent::Isolation;
using platform::Level;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kSecond = kNanosPerSecond;

class PersistenceTest : public ::testing::Test {
 protected:
  PersistenceTest() { EXPECT_TRUE(Start().ok()); }

  // A process that restores: the agent, or the keeper at boot.
  absl::Status Start(const std::string& boot_id = "boot-1", bool hold = false) {
    isolation_ = std::make_unique<Isolation>(
        agent::IsolationParts{.filter = &filter_,
                              .connections = &connections_,
                              .clock = &clock_,
                              .events = &events_,
                              .escape = &escape_,
                              .channel = &channel_},
        agent::IsolationOptions{.state_file = StateFile(), .boot_id = boot_id, .hold = hold});
    return isolation_->Restore();
  }
  // Another process with the same host: the keeper, beside an agent that does not have the lock.
  std::unique_ptr<Isolation> Keeper() {
    return std::make_unique<Isolation>(
        agent::IsolationParts{
            .filter = &filter_, .connections = &connections_, .clock = &clock_, .events = &events_},
        agent::IsolationOptions{.state_file = StateFile(), .boot_id = "boot-1", .others_write = true});
  }
  v1::IsolationState Saved() const { return agent::LoadState(StateFile()).value(); }
  absl::Status Boot(bool hold = false) {
    filter_.Lose();
    clock_.Reboot();
    return Start("boot-2", hold);
  }

  void Enrol() const {
    v1::EnrollmentFile file;
    for (const char* controller : {"192.0.2.7:7443", "cordon.example.vet:443", "unknown.example.vet:443"})
      file.add_controllers(controller);
    std::ofstream(folder_ / "enrollment.pb") << file.SerializeAsString();
    std::ofstream(folder_ / "addresses") << "cordon.example.vet 2001:db8::7\nstranger.example 192.0.2.66\n";
  }

  // Of an order that is made now: above any that a damaged state may have lost.
  uint64_t OfNow() const { return static_cast<uint64_t>(clock_.WallNanos() / 1'000) + 1; }
  std::filesystem::path StateFile() const { return folder_ / "isolation.state"; }
  Level Enforced() const { return filter_.Held().has_value() ? filter_.Held()->level : Level::kObserve; }

  TempFolder folder_;
  FakeClock clock_;
  FakePacketFilter filter_;
  FakeConnections connections_;
  FakeChannelProbe channel_;
  FakeEscapeProbe escape_;
  RecordingSink events_;
  std::unique_ptr<Isolation> isolation_;
};

TEST_F(PersistenceTest, ISO9_AKeeperSavesNothingOverAnOrderThatItHasNotRead) {
  ASSERT_TRUE(isolation_->Set(WithLease(Isolate(v1::LEVEL_DARK), 3'600), "order-1", 1).ok());
  const auto keeper = Keeper();
  ASSERT_TRUE(keeper->Restore().ok());
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-2", 2).ok());
  clock_.Advance(3'600 * kSecond);
  keeper->Tick();  // the lease of the order that it knows is over
  EXPECT_TRUE(keeper->Overtaken());
  EXPECT_EQ(Saved().sequence(), 2U);
  EXPECT_EQ(Enforced(), Level::kEssential);

  ASSERT_TRUE(isolation_->Set(WithLease(Isolate(v1::LEVEL_DARK), 3'600), "order-3", 3).ok());
  const auto next = Keeper();  // the positive control: nobody wrote since
  ASSERT_TRUE(next->Restore().ok());
  clock_.Advance(3'600 * kSecond);
  next->Tick();
  EXPECT_FALSE(next->Overtaken());
  EXPECT_EQ(Saved().level(), v1::LEVEL_OBSERVE);
  EXPECT_EQ(Enforced(), Level::kObserve);
}

TEST_F(PersistenceTest, ISO9_WhoTakesTheHostOverPutsWhatItMeansInForceAgain) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_NO_LATERAL), "order-1", 1).ok());
  const std::string old = platform::ReadFileBounded(StateFile(), agent::kMaxStateBytes).value();
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-2", 2).ok());
  std::ofstream(StateFile()) << old;
  filter_.Lose();
  isolation_->TakeOver();
  EXPECT_EQ(Saved().sequence(), 2U);
  EXPECT_EQ(Enforced(), Level::kDark);
}

TEST_F(PersistenceTest, ISO9_WhoTakesTheHostOverUndoesNoNewerOrder) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_NO_LATERAL), "order-1", 1).ok());
  const auto other = Keeper();
  ASSERT_TRUE(other->Restore().ok());
  ASSERT_TRUE(other->Set(Isolate(v1::LEVEL_DARK), "order-2", 2).ok());
  isolation_->TakeOver();
  EXPECT_EQ(isolation_->Lane().sequence(), 2U);
  EXPECT_EQ(Saved().sequence(), 2U);
  EXPECT_EQ(Enforced(), Level::kDark);
}

TEST_F(PersistenceTest, ISO9_AStateThatCannotBeReadForAWhileIsNotWrittenOver) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  const std::filesystem::path kept = folder_ / "kept";
  std::filesystem::rename(StateFile(), kept);
  std::filesystem::create_directory(StateFile());  // reading it fails, as a bad disk does
  EXPECT_FALSE(Boot().ok());
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
  std::filesystem::remove(StateFile());
  std::filesystem::rename(kept, StateFile());
  isolation_->SetControllers({{boost::asio::ip::make_address("192.0.2.9"), 7443}});
  EXPECT_EQ(Saved().sequence(), 1U);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kEssential);
  EXPECT_EQ(isolation_->Lane().sequence(), 1U);
}

TEST_F(PersistenceTest, ISO9_WhoTakesTheHostOverWritesNothingOverAStateThatItCouldNotRead) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  const std::filesystem::path kept = folder_ / "kept";
  std::filesystem::rename(StateFile(), kept);
  std::filesystem::create_directory(StateFile());  // reading it fails, as a bad disk does
  ASSERT_FALSE(Boot().ok());
  ASSERT_EQ(Enforced(), Level::kControllerOnly);
  std::filesystem::remove(StateFile());
  std::filesystem::rename(kept, StateFile());
  isolation_->TakeOver();
  EXPECT_EQ(Saved().sequence(), 1U);
  EXPECT_EQ(Enforced(), Level::kEssential);
}

// What cannot be read is not taken for a host without orders, by no proof and at no boot.
TEST_F(PersistenceTest, ISO5_AStateThatCannotBeReadOpensNothing) {
  Enrol();
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  std::filesystem::remove(StateFile());
  std::filesystem::create_directory(StateFile());  // reading it fails, as a bad disk does
  EXPECT_FALSE(Start().ok());
  EXPECT_FALSE(isolation_->Prove().ok());
  EXPECT_EQ(Enforced(), Level::kEssential);
  EXPECT_NE(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_OPEN);

  EXPECT_FALSE(Boot().ok());
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
}

TEST_F(PersistenceTest, ISO5_RulesThatCannotBeReadAreNotTakenForNone) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  std::filesystem::remove(StateFile());
  filter_.FailReadBack(absl::ResourceExhaustedError("nftables: out of memory"));
  EXPECT_FALSE(Start().ok());
  filter_.FailReadBack(absl::OkStatus());
  EXPECT_FALSE(isolation_->Prove().ok());
  v1::SelfIsolation allowed;
  allowed.set_level(v1::LEVEL_NO_LATERAL);
  EXPECT_FALSE(isolation_->TakeByItself(allowed, "a tripwire").ok()) << "it may be less than what stands";
  EXPECT_EQ(Enforced(), Level::kEssential);
  EXPECT_TRUE(isolation_->Release("order-2", OfNow()).ok());  // the positive control
  EXPECT_EQ(Enforced(), Level::kObserve);
  EXPECT_TRUE(isolation_->Prove().ok());
}

// Somebody flushes the rules that a damaged state had left standing, long after the start.
TEST_F(PersistenceTest, ISO5_WhatADamagedStateLeftStandingIsClosedWhenItGoes) {
  Enrol();
  for (const std::string_view by : {"an event", "time", "a proof"}) {
    SCOPED_TRACE(by);
    ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order", OfNow()).ok());
    std::ofstream(StateFile()) << "nonsense";
    ASSERT_FALSE(Start().ok());
    isolation_->Tick();
    isolation_->OnRulesChanged({{.pid = 7, .boot_nanos = 1, .of_cordon = true}});
    ASSERT_EQ(Enforced(), Level::kEssential) << "the positive control: it is kept while it stands";
    filter_.Lose();
    if (by == "an event") {
      isolation_->OnRulesChanged({{.pid = 7, .boot_nanos = 1, .of_cordon = true}});
    } else if (by == "time") {
      isolation_->Tick();
    } else {
      EXPECT_FALSE(isolation_->Prove().ok()) << "what was ordered is still not known";
    }
    EXPECT_EQ(Enforced(), Level::kControllerOnly);
    ASSERT_TRUE(filter_.Held().has_value());
    EXPECT_THAT(filter_.Held()->controllers, ElementsAre(At("192.0.2.7", 7443), At("2001:db8::7", 443)));
    EXPECT_THAT(isolation_->ReadReceipt().reasons(), Contains(HasSubstr("closed but for its controllers")));
    clock_.Advance(kSecond);
  }
}

TEST_F(PersistenceTest, ISO5_RulesThatCouldNotBeReadOnceAfterABootAreLookedAtAgain) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-1", 1).ok());
  std::ofstream(StateFile()) << "nonsense";
  filter_.FailReadBack(absl::ResourceExhaustedError("nftables: out of memory"));
  ASSERT_FALSE(Boot().ok());
  ASSERT_EQ(Enforced(), Level::kObserve);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kObserve) << "they cannot be read yet";
  filter_.FailReadBack(absl::OkStatus());
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
}

TEST_F(PersistenceTest, ISO5_AHostWithoutAStateIsHeldAndIsolatesItselfWhenItsRulesCanBeReadAgain) {
  Enrol();
  for (const bool held : {true, false}) {
    SCOPED_TRACE(held);
    std::filesystem::remove(StateFile());
    filter_.FailReadBack(absl::ResourceExhaustedError("nftables: out of memory"));
    ASSERT_FALSE(Boot(held).ok());
    isolation_->Tick();
    ASSERT_EQ(Enforced(), Level::kObserve);
    filter_.FailReadBack(absl::OkStatus());
    isolation_->Tick();
    EXPECT_EQ(Enforced(), held ? Level::kControllerOnly : Level::kObserve);
    v1::SelfIsolation allowed;
    allowed.set_level(v1::LEVEL_ESSENTIAL);
    allowed.mutable_lease()->mutable_length()->set_seconds(3'600);
    EXPECT_TRUE(isolation_->TakeByItself(allowed, "a tripwire").ok());
    EXPECT_GE(Enforced(), Level::kEssential);
  }
}

TEST_F(PersistenceTest, ISO5_AHostThatCouldNotBeClosedIsClosedByTheNextProof) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  std::ofstream(StateFile()) << "nonsense";
  filter_.FailApply(absl::InternalError("the kernel says no"));
  ASSERT_FALSE(Boot().ok());
  ASSERT_EQ(Enforced(), Level::kObserve);
  filter_.FailApply(absl::OkStatus());
  EXPECT_FALSE(isolation_->Prove().ok()) << "what was ordered is still not known";
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
  EXPECT_THAT(isolation_->ReadReceipt().reasons(),
              Contains(HasSubstr("the host is closed but for its controllers")));
}

// Dark stands, the state is damaged, and somebody answers an unlock.
TEST_F(PersistenceTest, ISO5_AChangeThatTheKernelRefusesOpensNothingThatIsKept) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-1", 1).ok());
  std::ofstream(StateFile()) << "nonsense";
  ASSERT_FALSE(Start().ok());
  v1::Unlock unlock;
  unlock.set_level(v1::LEVEL_OBSERVE);
  unlock.set_length_nanos(3'600 * kSecond);
  filter_.FailApplyOnce(absl::InternalError("the kernel says no"));
  EXPECT_FALSE(isolation_->Unlock(unlock).ok());
  EXPECT_EQ(Enforced(), Level::kDark);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kDark);
  EXPECT_TRUE(isolation_->Unlock(unlock).ok());  // the positive control
  EXPECT_EQ(Enforced(), Level::kObserve);
}

// Rules stand, their state is gone, and they could not be read at the start.
TEST_F(PersistenceTest, ISO5_AnOrderThatTheKernelRefusesOpensNoHostThatIsLeftAlone) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  std::filesystem::remove(StateFile());
  filter_.FailReadBack(absl::ResourceExhaustedError("nftables: out of memory"));
  ASSERT_FALSE(Start().ok());
  filter_.FailApplyOnce(absl::InternalError("the kernel says no"));
  EXPECT_FALSE(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-2", 2).ok());
  EXPECT_EQ(Enforced(), Level::kEssential);
  filter_.FailReadBack(absl::OkStatus());
  EXPECT_FALSE(Start().ok()) << "no state was left that asks for an open host";
  EXPECT_EQ(Enforced(), Level::kEssential);
}

TEST_F(PersistenceTest, ISO5_AfterABootADamagedStateClosesTheHostButForItsControllers) {
  Enrol();
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  std::ofstream(StateFile()) << "cordon-isolation-state-v2\nnonsense";
  const absl::Status restored = Boot();
  EXPECT_EQ(restored.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(restored.ToString(), HasSubstr("closed but for its controllers"));
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
  EXPECT_THAT(filter_.Held()->controllers, ElementsAre(At("192.0.2.7", 7443), At("2001:db8::7", 443)));
  const v1::Receipt receipt = isolation_->ReadReceipt();
  EXPECT_EQ(receipt.containment(), v1::CONTAINMENT_UNCERTAIN);
  EXPECT_THAT(receipt.reasons(0), HasSubstr("set aside as isolation.state.damaged-"));
  EXPECT_FALSE(Boot().ok()) << "and after the next boot";
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
}

TEST_F(PersistenceTest, ISO5_NoByteOfTheStateCanBeChangedOrCutToOpenAHost) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-1", 1).ok());
  std::ifstream file(StateFile());
  const std::string good((std::istreambuf_iterator<char>(file)), {});
  ASSERT_TRUE(Boot().ok());
  ASSERT_EQ(Enforced(), Level::kDark) << "the positive control: the whole file";
  int closed = 0;
  const auto boot_with = [&](const std::string& bad, const std::string& what) {
    std::ofstream(StateFile(), std::ios::trunc) << bad;
    const bool whole = Boot().ok();
    closed += whole ? 0 : 1;
    // Whole: what was harmed is the slot of the content before, which nobody asks for.
    EXPECT_EQ(Enforced(), whole ? Level::kDark : Level::kControllerOnly) << what;
    return whole;
  };
  EXPECT_FALSE(boot_with(good + '\0', "a byte too many"));
  for (size_t at = 0; at < good.size(); ++at) {
    if (at % (16 * 1024) == 0) {
      EXPECT_FALSE(boot_with(good.substr(0, at), StrCat("cut to ", at)));
    }
    if (good[at] == '\0') continue;  // room; what a zero says is covered by a digest that is not
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    boot_with(bad, StrCat("byte ", at));
  }
  EXPECT_GT(closed, 100);
}

TEST_F(PersistenceTest, WithoutAnEnrolmentTheClosedSideHasNoControllers) {
  EXPECT_TRUE(agent::KnownControllers(folder_.Path()).empty());
  std::ofstream(folder_ / "enrollment.pb") << "garbage \xff\xff";
  EXPECT_TRUE(agent::KnownControllers(folder_.Path()).empty());
}

TEST_F(PersistenceTest, AnOrderAfterTheDamagePutsEverythingRight) {
  Enrol();
  std::ofstream(StateFile()) << "nonsense";
  ASSERT_FALSE(Boot().ok());
  const auto newer = static_cast<uint64_t>(clock_.WallNanos() / 1'000) + 1;
  const auto receipt = isolation_->Set(Isolate(v1::LEVEL_NO_LATERAL), "order-2", newer);
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->containment(), v1::CONTAINMENT_CONTAINED);
  EXPECT_TRUE(Boot().ok());
  EXPECT_EQ(Enforced(), Level::kNoLateral);
}

TEST_F(PersistenceTest, AHeldHostIsAtControllerOnlyAndSaysSoUntilTheHoldEnds) {
  Enrol();
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_NO_LATERAL), "order-1", 1).ok());
  ASSERT_TRUE(Boot(true).ok());
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
  v1::Receipt receipt = isolation_->ReadReceipt();
  EXPECT_EQ(receipt.intended_level(), v1::LEVEL_NO_LATERAL);
  EXPECT_EQ(receipt.enforced_level(), v1::LEVEL_CONTROLLER_ONLY);
  EXPECT_THAT(receipt.reasons(0), HasSubstr("until a controller has been asked"));
  isolation_->OnLinksChanged();
  isolation_->SetControllers({At("192.0.2.9", 443)});
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
  EXPECT_THAT(filter_.Held()->controllers, ElementsAre(At("192.0.2.9", 443)));
  isolation_->EndHold("a controller was asked");
  EXPECT_EQ(Enforced(), Level::kNoLateral);
  EXPECT_THAT(events_.Events().back().event.isolation_changed().cause(), HasSubstr("a controller was asked"));
  EXPECT_TRUE(isolation_->Prove().ok());
}

TEST_F(PersistenceTest, ISO9_AnOrderThatCameWhileTheHostWasOffTakesItFromTheHoldToItsLevel) {
  Enrol();
  ASSERT_TRUE(Boot(true).ok());
  EXPECT_EQ(Enforced(), Level::kControllerOnly) << "also a host without a state";
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-2", 2).ok());
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
  isolation_->EndHold("a controller was asked");
  EXPECT_EQ(Enforced(), Level::kEssential);
  for (const platform::FilterPolicy& policy : filter_.History()) {
    EXPECT_GE(policy.level, Level::kEssential) << "never open in between";
  }
}

TEST_F(PersistenceTest, AHeldHostThatIsFreeOpensWhenTheHoldEndsAndAfterARestart) {
  Enrol();
  ASSERT_TRUE(Boot(true).ok());
  ASSERT_TRUE(Start("boot-2", true).ok()) << "the agent after the keeper";
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
  ASSERT_TRUE(Start("boot-2").ok()) << "killed while held; back when the time had passed";
  EXPECT_EQ(Enforced(), Level::kObserve);
}

TEST_F(PersistenceTest, AHoldNeverOpensADarkHost) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-1", 1).ok());
  ASSERT_TRUE(Boot(true).ok());
  EXPECT_EQ(Enforced(), Level::kDark);
  isolation_->EndHold("no controller answered in time");
  EXPECT_EQ(Enforced(), Level::kDark);
}

TEST_F(PersistenceTest, ISO8_TheWallClockSetTenYearsOffNeitherEndsNorLengthensALease) {
  constexpr int64_t kTenYears = 3'652LL * 86'400 * kSecond;
  for (const int64_t off : {-kTenYears, kTenYears}) {
    const uint64_t sequence = isolation_->Lane().sequence() + 1;
    ASSERT_TRUE(
        isolation_->Set(WithLease(Isolate(v1::LEVEL_DARK), 3'600, v1::LEVEL_ESSENTIAL), "order", sequence)
            .ok());
    clock_.SetWall(clock_.WallNanos() + off);
    clock_.Advance(1'800 * kSecond);
    isolation_->Tick();
    EXPECT_EQ(Enforced(), Level::kDark) << off;
    ASSERT_TRUE(Start().ok()) << "in the middle of it";
    EXPECT_EQ(isolation_->ReadReceipt().lease_remaining_nanos(), 1'800 * kSecond);
    clock_.SetWall(clock_.WallNanos() - off);
    clock_.Advance(1'799 * kSecond);
    isolation_->Tick();
    EXPECT_EQ(Enforced(), Level::kDark) << off;
    clock_.Advance(2 * kSecond);
    isolation_->Tick();
    EXPECT_EQ(Enforced(), Level::kEssential) << off;
    ASSERT_TRUE(Start().ok());
    EXPECT_EQ(Enforced(), Level::kEssential) << "what follows the lease stays";
  }
}

TEST_F(PersistenceTest, ISO8_ANewerOrderRenewsTheLeaseAndOneWithoutEndsIt) {
  ASSERT_TRUE(isolation_->Set(WithLease(Isolate(v1::LEVEL_DARK), 3'600), "order-1", 1).ok());
  clock_.Advance(3'000 * kSecond);
  isolation_->Tick();
  ASSERT_TRUE(isolation_->Set(WithLease(Isolate(v1::LEVEL_DARK), 3'600), "order-2", 2).ok());
  EXPECT_EQ(isolation_->ReadReceipt().lease_remaining_nanos(), 3'600 * kSecond);
  clock_.Advance(3'000 * kSecond);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kDark);
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-3", 3).ok());
  clock_.Advance(7 * 86'400 * kSecond);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kDark) << "until it is released";
}

class BootHoldTest : public ::testing::Test {
 protected:
  BootHold At(const std::string& boot_id) { return {folder_ / "boot-hold", boot_id, clock_}; }

  TempFolder folder_;
  FakeClock clock_;
};

TEST_F(BootHoldTest, HoldsOncePerBootUntilAskedOrOver) {
  EXPECT_FALSE(At("boot-1").Begin()) << "a host that never had a connection";
  At("boot-1").End(30 * kSecond);
  EXPECT_FALSE(At("boot-1").Begin()) << "the same boot";
  clock_.Reboot();
  EXPECT_TRUE(At("boot-2").Begin());
  clock_.Advance(10 * kSecond);
  BootHold agent = At("boot-2");
  EXPECT_TRUE(agent.Begin()) << "the agent, after the keeper";
  EXPECT_EQ(agent.RemainingNanos(), 20 * kSecond);
  agent.End(30 * kSecond);
  EXPECT_FALSE(At("boot-2").Begin());
  clock_.Reboot();
  EXPECT_TRUE(At("boot-3").Begin());
  clock_.SetWall(0);
  clock_.Advance(30 * kSecond);
  EXPECT_FALSE(At("boot-3").Begin()) << "nobody answered in time";
}

TEST_F(BootHoldTest, IsOffWhenItsLengthIsZero) {
  At("boot-1").End(0);
  EXPECT_FALSE(At("boot-2").Begin());
}

TEST_F(BootHoldTest, DamageHoldsForTheUsualTimeAndNoLonger) {
  for (const char* damage :
       {"", "nonsense", "cordon-boot-hold-v1 boot-2 5", "cordon-boot-hold-v2 boot-2 0 1 0"}) {
    std::ofstream(folder_ / "boot-hold") << damage;
    BootHold hold = At("boot-2");
    EXPECT_TRUE(hold.Begin()) << damage;
    EXPECT_EQ(hold.RemainingNanos(), agent::kDefaultBootHoldNanos);
  }
  std::ofstream(folder_ / "boot-hold") << "cordon-boot-hold-v1 boot-1 0 1 9000000000000000000\n";
  BootHold hold = At("boot-2");
  EXPECT_TRUE(hold.Begin());
  EXPECT_EQ(hold.RemainingNanos(), agent::kMaxBootHoldNanos);
}

// The clock is ahead by years when the damage is found, and is then put right.
TEST_F(PersistenceTest, ISO9_AClockThatIsWrongByYearsShutsNoOrderOutForLong) {
  constexpr int64_t kDay = 86'400 * kSecond;
  const int64_t now = clock_.WallNanos();
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  std::ofstream(folder_ / "host.crt") << HostCertificate(now - kDay, now + 30 * kDay);
  std::ofstream(StateFile()) << "nonsense";
  clock_.SetWall(now + 10 * 365 * kDay);
  ASSERT_FALSE(Start().ok());
  const auto at = [&](int64_t nanos) { return static_cast<uint64_t>(nanos / 1'000); };
  EXPECT_FALSE(isolation_->Release("old", at(now)).ok()) << "from before the damage, for all that is known";
  EXPECT_TRUE(isolation_->Release("new", at(now + 31 * kDay)).ok());
}

}  // namespace
}  // namespace cordon::testing
