// A disk that does not confirm the new state (ISO-9): the order failed, and must not come into force with the
// next start.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>

#include "agent/isolation/isolation.h"
#include "agent/isolation/self_isolator.h"
#include "agent/isolation/state_file.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_connections.h"
#include "tests/fakes/fake_packet_filter.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/actions.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace {

enum class Disk { kWorks, kFoldersFail, kFilesFail };
std::atomic<Disk> disk = Disk::kWorks;

int Sync(int fd, long call) {
  struct stat info{};
  if (disk != Disk::kWorks && fstat(fd, &info) == 0 &&
      static_cast<bool>(S_ISDIR(info.st_mode)) == (disk == Disk::kFoldersFail)) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(syscall(call, fd));
}

}  // namespace

// In the place of libc's, for this test program: nothing is flushed while a test says so.
extern "C" int fsync(int fd) {
  return Sync(fd, SYS_fsync);
}
extern "C" int fdatasync(int fd) {
  return Sync(fd, SYS_fdatasync);
}

namespace cordon::testing {
namespace {

using agent::Isolation;
using platform::Level;

constexpr int64_t kHour = 3'600 * kNanosPerSecond;

class SaveTest : public ::testing::Test {
 protected:
  SaveTest() { StartAgent(); }
  ~SaveTest() override { disk = Disk::kWorks; }

  void StartAgent() {
    isolation_ = std::make_unique<Isolation>(
        agent::IsolationParts{
            .filter = &filter_, .connections = &connections_, .clock = &clock_, .events = &events_},
        agent::IsolationOptions{.state_file = folder_ / "isolation.state", .boot_id = "boot-1"});
    static_cast<void>(isolation_->Restore());
  }
  v1::IsolationState Saved() const { return agent::LoadState(folder_ / "isolation.state").value(); }
  Level Enforced() const { return filter_.Held().has_value() ? filter_.Held()->level : Level::kObserve; }

  TempFolder folder_;
  FakeClock clock_;
  FakePacketFilter filter_;
  FakeConnections connections_;
  RecordingSink events_;
  std::unique_ptr<Isolation> isolation_;
};

TEST_F(SaveTest, ISO9_WhatTheDiskDidNotConfirmIsNotInForceAfterTheNextStartEither) {
  ASSERT_THAT(isolation_->Set(Isolate(v1::LEVEL_NO_LATERAL), "order-1", 1), IsOk());
  disk = Disk::kFilesFail;
  EXPECT_THAT(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-2", 2),
              Fails(absl::StatusCode::kAborted, "nothing was changed"));
  EXPECT_EQ(Enforced(), Level::kNoLateral);
  disk = Disk::kWorks;
  StartAgent();
  EXPECT_EQ(Enforced(), Level::kNoLateral);
  EXPECT_EQ(isolation_->Lane().sequence(), 1U);
  ASSERT_THAT(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-2", 2), IsOk()) << "sent again";
  StartAgent();
  EXPECT_EQ(Enforced(), Level::kDark);
}

TEST_F(SaveTest, ISO5_ADamagedStateThatCannotBeReplacedIsNotTakenForNoneAtTheNextBoot) {
  ASSERT_THAT(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-1", 1), IsOk());
  std::ofstream(folder_ / "isolation.state") << "nonsense";
  disk = Disk::kFilesFail;
  for (int boot = 0; boot < 3; ++boot) {
    filter_.Lose();
    StartAgent();
    EXPECT_EQ(Enforced(), Level::kControllerOnly);
    EXPECT_FALSE(agent::LoadState(folder_ / "isolation.state").ok());
  }
  disk = Disk::kWorks;
  isolation_->Tick();
  EXPECT_TRUE(agent::LoadState(folder_ / "isolation.state").ok()) << "it is saved as soon as it can be";
  filter_.Lose();
  StartAgent();
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
}

// The first start makes the file: a disk without room for another one keeps no host open.
TEST_F(SaveTest, ISO9_TheFirstOrderNeedsNoNewFile) {
  disk = Disk::kFoldersFail;
  ASSERT_THAT(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-1", 1), IsOk());
  EXPECT_EQ(Enforced(), Level::kDark);
}

TEST_F(SaveTest, AUT5_AnUnlockEndsInItsTimeWhateverTheDiskDoes) {
  ASSERT_THAT(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-1", 1), IsOk());
  v1::Unlock unlock;
  unlock.set_level(v1::LEVEL_OBSERVE);
  unlock.set_length_nanos(kHour);
  ASSERT_THAT(isolation_->Unlock(unlock), IsOk());
  ASSERT_EQ(Enforced(), Level::kObserve);
  disk = Disk::kFilesFail;
  clock_.Advance(kHour);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kDark);
  EXPECT_EQ(isolation_->LevelMeant(), v1::LEVEL_DARK);
  isolation_->Tick();
  EXPECT_TRUE(Saved().has_unlock()) << "the positive control: nothing could be saved";
  disk = Disk::kWorks;
  isolation_->Tick();
  EXPECT_FALSE(Saved().has_unlock()) << "it is saved as soon as it can be";
  EXPECT_EQ(Saved().sequence(), 1U);
}

// Ransomware fills the disk of a host that nobody has ever isolated.
TEST_F(SaveTest, ATripwiresIsolationIsTakenWhenTheDiskHasRoomAgain) {
  int told = 0;
  agent::SelfIsolator isolator(agent::SelfIsolator::Parts{
      .clock = clock_,
      .take = [this](const v1::SelfIsolation& allowed,
                     const std::string& cause) { return isolation_->TakeByItself(allowed, cause).status(); },
      .lane = [this] { return isolation_->Lane(); },
      .on_failure = [&told](const std::string& /*what*/) { ++told; }});
  v1::SelfIsolation allowed;
  allowed.set_level(v1::LEVEL_ESSENTIAL);
  allowed.mutable_lease()->mutable_length()->set_seconds(3'600);
  disk = Disk::kFilesFail;
  isolator.Begin(allowed, "tripwire: a test");
  isolator.Tick();
  EXPECT_EQ(Enforced(), Level::kObserve);
  EXPECT_EQ(told, 1);
  disk = Disk::kWorks;
  isolator.Tick();
  EXPECT_EQ(Enforced(), Level::kEssential);
}

// The kernel refuses an order that is on the disk by then, and the disk fails before it can be taken back.
TEST_F(SaveTest, ISO9_AnOrderThatTheKernelRefusedIsTakenBackWhenTheDiskWorksAgain) {
  ASSERT_THAT(isolation_->Set(Isolate(v1::LEVEL_NO_LATERAL), "order-1", 1), IsOk());
  filter_.FailApplyOnce(absl::InternalError("the kernel says no"));
  filter_.OnApply([] { disk = Disk::kFilesFail; });
  EXPECT_FALSE(isolation_->Release("order-2", 2).ok());
  filter_.OnApply({});
  EXPECT_EQ(Enforced(), Level::kNoLateral);
  isolation_->Tick();
  disk = Disk::kWorks;
  isolation_->Tick();
  EXPECT_EQ(Saved().sequence(), 1U);
  StartAgent();
  EXPECT_EQ(Enforced(), Level::kNoLateral);
}

// The first order makes the file where it has gone, and its name may not outlive a power cut.
TEST_F(SaveTest, ISO9_AFirstOrderWhoseFileMayBeLostIsNotInForceAfterTheNextStartEither) {
  std::filesystem::remove(folder_ / "isolation.state");
  disk = Disk::kFoldersFail;
  EXPECT_THAT(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-1", 1),
              Fails(absl::StatusCode::kAborted, "nothing was changed"));
  EXPECT_EQ(Enforced(), Level::kObserve);
  disk = Disk::kWorks;
  StartAgent();
  EXPECT_EQ(Enforced(), Level::kObserve);
  ASSERT_THAT(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-1", 1), IsOk()) << "sent again";
  StartAgent();
  EXPECT_EQ(Enforced(), Level::kDark);
}

}  // namespace
}  // namespace cordon::testing
