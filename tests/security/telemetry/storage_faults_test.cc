// TEL-1, TEL-2, TEL-3 while disks fail: the power goes and takes what was not synced, the disk is full,
// single calls fail, pages are damaged, a database is set back to an old copy; on the host and on the
// controller. After each: what is stored and the gaps are what happened, the chain is whole, nothing is there
// twice.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "tests/support/delivery_rig.h"
#include "tests/support/soak.h"

namespace cordon {
namespace {

using testing::DeliveryRig;
using ::testing::IsEmpty;
using testing::Must;
using ::testing::SizeIs;
using testing::StormCount;

constexpr auto kDamaged = v1::Gap::CAUSE_STATE_DAMAGED;
constexpr auto kUnclean = v1::Gap::CAUSE_AGENT_STOPPED_UNCLEANLY;

// A database that is closed, with the log that is not folded into it yet.
void Copy(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const char* suffix : {"-wal", "-shm", ""}) std::filesystem::remove(to.string() + suffix);
  for (const char* suffix : {"", "-wal"}) {
    if (std::filesystem::exists(from.string() + suffix))
      std::filesystem::copy_file(from.string() + suffix, to.string() + suffix);
  }
}

// Events happen and are delivered, as far as the disks let them.
void Live(DeliveryRig& rig, std::mt19937& random, int steps) {
  for (int i = 0; i < steps; ++i) {
    if (random() % 2 == 0) rig.Happen(1 + static_cast<int>(random() % 5), random() % 3'000);
    for (uint32_t batches = random() % 4; batches > 0; --batches) rig.Step();
    if (random() % 4 == 0 && rig.AgentRuns()) static_cast<void>(rig.Spool().Maintain());
    if (random() % 8 == 0) rig.Disconnect();
  }
}

// The disks are well again, and what runs is what can run.
void Heal(DeliveryRig& rig) {
  rig.agent_disk.FailEvery(0);
  rig.controller_disk.FailEvery(0);
  rig.agent_disk.SetFull(false);
  rig.controller_disk.SetFull(false);
  if (!rig.ControllerRuns()) Must(rig.StartController());
  if (!rig.AgentRuns()) Must(rig.StartAgent());
}

void ExpectAllOfIt(DeliveryRig& rig) {
  ASSERT_TRUE(rig.Drain());
  ASSERT_EQ(rig.Fault(), "");
  ASSERT_THAT(rig.Lost(), IsEmpty());
  ASSERT_THAT(rig.Gaps(kDamaged), IsEmpty());
}

TEST(StorageFaults, TEL2_WithoutAnyEverythingArrivesOnce) {  // the positive control of those below
  std::mt19937 random(1);
  DeliveryRig rig;
  Live(rig, random, 50);
  ExpectAllOfIt(rig);
  EXPECT_GT(rig.Accepted().size(), 20U);
}

TEST(StorageFaults, TEL2_APowerCutOfTheHostTakesNothingThatTheSpoolHadTaken) {
  const int cuts = StormCount(80, 3'000);
  for (uint32_t seed = 0; seed < static_cast<uint32_t>(cuts); ++seed) {
    SCOPED_TRACE(StrCat("seed ", seed));
    std::mt19937 random(seed);
    DeliveryRig rig(seed);
    Live(rig, random, 5);
    rig.agent_disk.CutPowerAt(1 + random() % 120);
    Live(rig, random, 30);
    rig.StopAgent();
    rig.agent_disk.PowerOn();
    Heal(rig);
    Live(rig, random, 5);
    ExpectAllOfIt(rig);
    EXPECT_THAT(rig.Gaps(kUnclean), SizeIs(1));
  }
}

TEST(StorageFaults, TEL2_APowerCutOfTheControllerTakesNothingThatItHadAcknowledged) {
  const int cuts = StormCount(80, 3'000);
  for (uint32_t seed = 0; seed < static_cast<uint32_t>(cuts); ++seed) {
    SCOPED_TRACE(StrCat("seed ", seed));
    std::mt19937 random(seed);
    DeliveryRig rig(seed);
    Live(rig, random, 5);
    rig.controller_disk.CutPowerAt(1 + random() % 120);
    Live(rig, random, 30);
    rig.StopController();
    rig.controller_disk.PowerOn();
    Heal(rig);
    Live(rig, random, 5);
    ExpectAllOfIt(rig);
  }
}

// The n-th call of a disk fails, for n from 1 to many; then the disk is well again.
void FailEveryCallOnce(testing::FaultDisk DeliveryRig::* disk, bool restarts, int calls) {
  for (int call = 1; call <= calls; ++call) {
    SCOPED_TRACE(StrCat("call ", call));
    std::mt19937 random(static_cast<uint32_t>(call));
    DeliveryRig rig(static_cast<uint32_t>(call));
    Live(rig, random, 3);
    (rig.*disk).FailAt(call, 1 + call % 3);
    Live(rig, random, 25);
    if (restarts) {
      rig.StopAgent();
      rig.StopController();
      static_cast<void>(rig.StartController());  // may fail, and then works
      static_cast<void>(rig.StartAgent());
    }
    (rig.*disk).FailAt(0, 0);
    Heal(rig);
    ExpectAllOfIt(rig);
  }
}

TEST(StorageFaults, TEL2_AnIoErrorAtAnyCallOfTheHostLosesNothing) {
  FailEveryCallOnce(&DeliveryRig::agent_disk, false, StormCount(80, 1'000));
}

TEST(StorageFaults, TEL2_AnIoErrorAtAnyCallOfTheControllerLosesNothing) {
  FailEveryCallOnce(&DeliveryRig::controller_disk, false, StormCount(80, 1'000));
}

TEST(StorageFaults, TEL2_IoErrorsAcrossARestartLoseNothing) {
  FailEveryCallOnce(&DeliveryRig::agent_disk, true, StormCount(40, 1'000));
  FailEveryCallOnce(&DeliveryRig::controller_disk, true, StormCount(40, 1'000));
}

TEST(StorageFaults, TEL2_ADiskThatFailsEveryNthCallLosesNothing) {
  for (const int every : {2, 3, 5, 7, 11, 23, 47}) {
    SCOPED_TRACE(StrCat("every ", every));
    std::mt19937 random(static_cast<uint32_t>(every));
    DeliveryRig rig;
    Live(rig, random, 5);
    rig.agent_disk.FailEvery(every);
    Live(rig, random, 40);
    rig.agent_disk.FailEvery(0);
    rig.controller_disk.FailEvery(every);
    Live(rig, random, 40);
    Heal(rig);
    ExpectAllOfIt(rig);
  }
}

TEST(StorageFaults, TEL2_AFullDiskOnEitherSideKeepsWhatWasTakenAndGoesOnWhenThereIsRoom) {
  DeliveryRig rig;
  std::mt19937 random(3);
  Live(rig, random, 10);
  rig.agent_disk.SetFull(true);
  rig.Happen(500, 2'000);
  EXPECT_FALSE(rig.TryAppend());  // it is said, so that the batcher keeps them
  rig.agent_disk.SetFull(false);
  EXPECT_TRUE(rig.TryAppend());
  rig.controller_disk.SetFull(true);
  EXPECT_FALSE(rig.Drain());
  Heal(rig);
  ExpectAllOfIt(rig);
}

// Flips bytes of pages of a database that is closed.
void Damage(const std::filesystem::path& file, std::mt19937& random, int places) {
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  const auto size = static_cast<uint32_t>(std::filesystem::file_size(file));
  for (int i = 0; i < places; ++i) {
    const auto at = static_cast<std::streamoff>(random() % size);
    stream.seekg(at);
    const auto byte = static_cast<char>(stream.get());
    stream.seekp(at);
    stream.put(static_cast<char>(byte ^ static_cast<char>(1 + random() % 255)));
  }
}

TEST(StorageFaults, TEL1_DamagedPagesOfTheHostsDatabaseAreTold) {
  const int rounds = StormCount(80, 5'000);
  int told = 0;
  for (uint32_t seed = 0; seed < static_cast<uint32_t>(rounds); ++seed) {
    SCOPED_TRACE(StrCat("seed ", seed));
    std::mt19937 random(seed);
    DeliveryRig rig(seed);
    Live(rig, random, 10);
    rig.Happen(30, 1'000);
    rig.Happen(30, 1'000);
    ASSERT_TRUE(rig.TryAppend());
    rig.StopAgent();
    Damage(rig.AgentFile(), random, 1 + static_cast<int>(random() % 8));
    ASSERT_TRUE(rig.StartAgent().ok());  // whatever was done to the file, the host is watched
    Live(rig, random, 5);
    ASSERT_TRUE(rig.Drain());
    ASSERT_EQ(rig.Fault(), "");
    if (rig.Lost().empty()) continue;
    ++told;
    ASSERT_THAT(rig.Gaps(kDamaged), ::testing::Not(IsEmpty()));
  }
  EXPECT_GT(told, rounds / 4);
}

TEST(StorageFaults, TEL1_DamagedPagesOfTheControllersStoreAreNamedAndNeverReplacedByANewStore) {
  const int rounds = StormCount(30, 2'000);
  int found = 0;
  for (uint32_t seed = 0; seed < static_cast<uint32_t>(rounds); ++seed) {
    SCOPED_TRACE(StrCat("seed ", seed));
    std::mt19937 random(seed);
    DeliveryRig rig(seed);
    Live(rig, random, 10);
    rig.Happen(30, 1'000);
    ASSERT_TRUE(rig.Drain());
    rig.StopController();
    Copy(rig.StoreFile(), rig.StoreFile().string() + ".good");
    Damage(rig.StoreFile(), random, 1 + static_cast<int>(random() % 8));
    const absl::Status opened = rig.StartController();
    if (!opened.ok()) {
      ++found;
      EXPECT_THAT(std::string(Message(opened)), ::testing::HasSubstr("store.db"));
    }
    rig.StopController();
    Copy(rig.StoreFile().string() + ".good", rig.StoreFile());  // as the message says: the newest backup
    Must(rig.StartController());
    Live(rig, random, 5);
    ExpectAllOfIt(rig);
  }
  EXPECT_GT(found, rounds / 10);
}

TEST(StorageFaults, TEL1_AHostThatWasSetBackSendsNothingTwiceAndSaysSo) {
  const int rounds = StormCount(40, 2'000);
  for (uint32_t seed = 0; seed < static_cast<uint32_t>(rounds); ++seed) {
    SCOPED_TRACE(StrCat("seed ", seed));
    std::mt19937 random(seed);
    DeliveryRig rig(seed);
    Live(rig, random, 15);
    rig.StopAgent();
    Copy(rig.AgentFile(), rig.AgentFile().string() + ".old");
    Must(rig.StartAgent());
    Live(rig, random, 15);
    rig.Happen(3);
    ASSERT_TRUE(rig.Drain());  // the controller has numbers that the old copy will give out again
    const size_t delivered = rig.Accepted().size();
    rig.Happen(static_cast<int>(random() % 3));  // not delivered: lost with the newer state
    rig.StopAgent();
    Copy(rig.AgentFile().string() + ".old", rig.AgentFile());
    Must(rig.StartAgent());
    // Some hosts work on for a while before they meet the controller again.
    for (uint32_t i = random() % 4; i > 0; --i) rig.Happen(2);
    ASSERT_TRUE(rig.Drain());
    ASSERT_EQ(rig.Fault(), "");  // nothing twice, though old events were still in the old queue
    for (const uint32_t pid : rig.Lost()) ASSERT_GT(pid, delivered);
    ASSERT_THAT(rig.Gaps(kDamaged), SizeIs(1));
    EXPECT_TRUE(rig.Gaps(kDamaged)[0].count_unknown());
    EXPECT_THAT(rig.Gaps(kDamaged)[0].detail(), ::testing::HasSubstr("the host's queue was set back"));
  }
}

TEST(StorageFaults, TEL1_WhatAControllerThatWasSetBackHasLostIsAGapWithItsNumbers) {
  const int rounds = StormCount(40, 2'000);
  for (uint32_t seed = 0; seed < static_cast<uint32_t>(rounds); ++seed) {
    SCOPED_TRACE(StrCat("seed ", seed));
    std::mt19937 random(seed);
    DeliveryRig rig(seed);
    Live(rig, random, 15);
    rig.Happen(2);
    ASSERT_TRUE(rig.Drain());
    const uint64_t old_position = rig.Spool().Stats().acknowledged_sequence;
    rig.StopController();
    Copy(rig.StoreFile(), rig.StoreFile().string() + ".old");
    Must(rig.StartController());
    Live(rig, random, 10);
    rig.Happen(2);
    ASSERT_TRUE(rig.Drain());
    const uint64_t newest = rig.Spool().Stats().acknowledged_sequence;
    rig.StopController();
    Copy(rig.StoreFile().string() + ".old", rig.StoreFile());
    Must(rig.StartController());
    rig.Happen(3);
    ASSERT_TRUE(rig.Drain());
    ASSERT_EQ(rig.Fault(), "");
    const std::vector<v1::Gap> gaps = rig.Gaps(kDamaged);
    ASSERT_THAT(gaps, SizeIs(1));
    EXPECT_EQ(gaps[0].first_sequence(), old_position + 1);
    EXPECT_EQ(gaps[0].count(), newest - old_position);
    EXPECT_FALSE(gaps[0].count_unknown());
    EXPECT_FALSE(gaps[0].count_is_bound());
    EXPECT_EQ(rig.Lost().size(), gaps[0].count());  // no number of another kind was given out in between
  }
}

// The controller is set back by a commit that the host has not let go of yet.
TEST(StorageFaults, TEL2_WhatTheHostStillHasIsSentAgainToAControllerThatWasSetBack) {
  DeliveryRig rig;
  rig.Happen(5);
  ASSERT_TRUE(rig.Drain());
  rig.StopController();
  Copy(rig.StoreFile(), rig.StoreFile().string() + ".old");
  Must(rig.StartController());
  rig.Happen(5);
  while (rig.Step()) {
  }  // acknowledged, and not yet forgotten on the host's disk
  rig.StopController();
  Copy(rig.StoreFile().string() + ".old", rig.StoreFile());
  Must(rig.StartController());
  ExpectAllOfIt(rig);
}

// Both are set back, each to a time of its own.
TEST(StorageFaults, TEL1_BothSetBackStoreNothingTwiceAndSaySo) {
  const int rounds = StormCount(25, 1'000);
  for (uint32_t seed = 0; seed < static_cast<uint32_t>(rounds); ++seed) {
    SCOPED_TRACE(StrCat("seed ", seed));
    std::mt19937 random(seed);
    DeliveryRig rig(seed);
    for (const bool host_first : {seed % 2 == 0, seed % 2 != 0}) {
      Live(rig, random, 10);
      rig.StopAgent();
      rig.StopController();
      if (host_first) Copy(rig.AgentFile(), rig.AgentFile().string() + ".old");
      if (!host_first) Copy(rig.StoreFile(), rig.StoreFile().string() + ".old");
      Must(rig.StartController());
      Must(rig.StartAgent());
    }
    Live(rig, random, 10);
    ASSERT_TRUE(rig.Drain());
    rig.StopAgent();
    rig.StopController();
    Copy(rig.AgentFile().string() + ".old", rig.AgentFile());
    Copy(rig.StoreFile().string() + ".old", rig.StoreFile());
    Must(rig.StartController());
    Must(rig.StartAgent());
    Live(rig, random, 10);
    ASSERT_TRUE(rig.Drain());
    ASSERT_EQ(rig.Fault(), "");
    if (!rig.Lost().empty()) {
      ASSERT_THAT(rig.Gaps(kUnclean), ::testing::Not(IsEmpty()));
    }
  }
}

}  // namespace
}  // namespace cordon
