#include "agent/integrity/canary_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <thread>

#include "agent/integrity/tripwires.h"
#include "platform/api/file_tree.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using ::testing::IsEmpty;
using testing::IsOk;
using ::testing::SizeIs;
using testing::TempFolder;

std::vector<std::string> NamesIn(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().string());
  return names;
}

absl::StatusOr<std::string> Sha256OfFile(const std::filesystem::path& path) {
  const auto hashed = platform::HashFile(path, 1 << 20, [] { return true; });
  if (!hashed.ok()) return hashed.status();
  return hashed->sha256;
}

class CanaryFilesTest : public ::testing::Test {
 protected:
  TempFolder state_, documents_, others_;
  CanaryFiles canaries_{state_.Path() / kCanaryList};
};

TEST_F(CanaryFilesTest, TwoAreLaidPerFolderAndKnown) {
  ASSERT_THAT(canaries_.Lay({documents_.Path()}), IsOk());
  const std::vector<std::string> names = NamesIn(documents_.Path());
  ASSERT_THAT(names, SizeIs(2));
  for (const std::string& name : names) {
    EXPECT_TRUE(canaries_.IsCanary(name));
    EXPECT_GE(std::filesystem::file_size(name), 4096U) << "worth encrypting";
  }
  EXPECT_FALSE(canaries_.IsCanary((documents_ / "letter.docx").string()));
  EXPECT_FALSE(canaries_.IsCanary((others_.Path() / std::filesystem::path(names[0]).filename()).string()));
}

TEST_F(CanaryFilesTest, WhatWasDeletedIsLaidAgainAndWhatWasChangedStays) {
  ASSERT_THAT(canaries_.Lay({documents_.Path()}), IsOk());
  const std::vector<std::string> names = NamesIn(documents_.Path());
  std::filesystem::remove(names[0]);
  std::ofstream(names[1]) << "encrypted";
  ASSERT_THAT(canaries_.Lay({documents_.Path()}), IsOk());
  EXPECT_TRUE(std::filesystem::exists(names[0]));
  EXPECT_EQ(std::filesystem::file_size(names[1]), 9U) << "evidence is not written over";
  EXPECT_THAT(canaries_.Remove(), IsOk());
  EXPECT_THAT(NamesIn(documents_.Path()), SizeIs(1));
}

TEST_F(CanaryFilesTest, TheyLeaveAFolderThatIsNotListedAnyMoreAlsoAfterARestart) {
  ASSERT_THAT(canaries_.Lay({documents_.Path()}), IsOk());
  CanaryFiles next(state_.Path() / kCanaryList);
  ASSERT_THAT(next.Lay({others_.Path()}), IsOk());
  EXPECT_THAT(NamesIn(documents_.Path()), IsEmpty());
  EXPECT_THAT(NamesIn(others_.Path()), SizeIs(2));
  EXPECT_THAT(CanaryFiles(state_.Path() / kCanaryList).Remove(), IsOk());
  EXPECT_THAT(NamesIn(others_.Path()), IsEmpty());
}

TEST_F(CanaryFilesTest, AFolderBehindALinkIsNotWrittenTo) {
  const std::filesystem::path link = documents_.Path() / "Documents";
  std::filesystem::create_directory_symlink(others_.Path(), link);
  const absl::Status laid = canaries_.Lay({link});
  EXPECT_THAT(std::string(laid.message()), ::testing::HasSubstr("symbolic link"));
  EXPECT_THAT(NamesIn(others_.Path()), IsEmpty());
}

TEST_F(CanaryFilesTest, TheOwnerOfTheFolderOwnsThem) {
  if (geteuid() != 0) GTEST_SKIP() << "giving files away needs root";
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(chown(documents_.Path().c_str(), kNobody, kNobody), 0);
  ASSERT_THAT(canaries_.Lay({documents_.Path()}), IsOk());
  for (const std::string& name : NamesIn(documents_.Path())) {
    struct stat info{};
    ASSERT_EQ(stat(name.c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, kNobody);
    EXPECT_EQ(info.st_mode & 07777, 0644U);
  }
}

// Takes from this thread, for good, what the shipped unit does not leave to root over other people's files.
void DropWhatTheUnitDrops() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> sets{};
  ASSERT_EQ(syscall(SYS_capget, &header, sets.data()), 0);
  for (const unsigned right : {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID})
    for (auto* const set : {&sets[0].effective, &sets[0].permitted, &sets[0].inheritable})
      *set &= ~(1U << right);
  ASSERT_EQ(syscall(SYS_capset, &header, sets.data()), 0);
}

TEST_F(CanaryFilesTest, TheRightsOfTheUnitAreEnoughToLayThemAndToTakeThemAway) {
  if (geteuid() != 0) GTEST_SKIP() << "giving files away needs root";
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(chown(documents_.Path().c_str(), kNobody, kNobody), 0);
  ASSERT_EQ(chmod(documents_.Path().c_str(), 0700), 0);
  std::thread([&] {
    DropWhatTheUnitDrops();
    std::ofstream(documents_ / "as-root") << "x";
    EXPECT_FALSE(std::filesystem::exists(documents_ / "as-root")) << "the rights were not dropped";
    EXPECT_THAT(canaries_.Lay({documents_.Path()}), IsOk());
    for (const std::string& name : NamesIn(documents_.Path())) {
      struct stat info{};
      ASSERT_EQ(stat(name.c_str(), &info), 0);
      EXPECT_EQ(info.st_uid, kNobody);
      EXPECT_EQ(info.st_gid, kNobody);
      EXPECT_EQ(info.st_mode & 07777, 0644U);
    }
    EXPECT_THAT(NamesIn(documents_.Path()), SizeIs(2));
    EXPECT_THAT(canaries_.Remove(), IsOk());
    EXPECT_THAT(NamesIn(documents_.Path()), IsEmpty());
    std::ofstream(state_ / "own") << "as root again";
    struct stat info{};
    ASSERT_EQ(stat((state_ / "own").c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, geteuid());
  }).join();
}

TEST_F(CanaryFilesTest, ACanaryThatCannotBeTakenAwayIsTold) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_THAT(canaries_.Lay({documents_.Path(), others_.Path()}), IsOk());
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(chown(documents_.Path().c_str(), kNobody, kNobody), 0);
  ASSERT_EQ(chmod(documents_.Path().c_str(), 0500), 0);
  const absl::Status removed = canaries_.Remove();
  EXPECT_THAT(std::string(removed.message()), ::testing::HasSubstr(documents_.Path().string()));
  EXPECT_THAT(NamesIn(documents_.Path()), SizeIs(2));
  EXPECT_THAT(NamesIn(others_.Path()), IsEmpty());
}

TEST_F(CanaryFilesTest, AFolderThatIsNotThereIsNoError) {
  EXPECT_THAT(canaries_.Lay({documents_.Path() / "none"}), IsOk());
}

// As on a machine that is installed before anybody has logged on: `homes_` is what /home is there.
class DefaultCanaries : public ::testing::Test {
 protected:
  DefaultCanaries() { policy_.canary_homes = {homes_.Path()}; }

  std::filesystem::path Make(const std::string& folder) {
    std::filesystem::create_directories(homes_ / folder);
    return homes_ / folder;
  }

  TempFolder state_, homes_;
  testing::FakeClock clock_;
  testing::RecordingSink sink_;
  WatchPolicy policy_;
  Tripwires tripwires_{state_.Path(), clock_, sink_, {}};
};

TEST_F(DefaultCanaries, AreLaidInFoldersThatComeAfterThePolicy) {
  const std::filesystem::path early = Make("ann/Documents");
  ASSERT_THAT(tripwires_.Use(policy_), IsOk());
  ASSERT_THAT(NamesIn(early), SizeIs(2));
  const std::filesystem::path desktop = Make("ann/Desktop");
  const std::filesystem::path of_another = Make("ben/Documents");
  const std::filesystem::path pictures = Make("ben/Pictures");
  ASSERT_THAT(tripwires_.CheckCanaries(), IsOk());
  EXPECT_THAT(NamesIn(early), SizeIs(2));
  EXPECT_THAT(NamesIn(desktop), SizeIs(2));
  EXPECT_THAT(NamesIn(of_another), SizeIs(2));
  EXPECT_THAT(NamesIn(pictures), IsEmpty());
}

TEST_F(DefaultCanaries, OneThatCameLaterTripsAndIsTakenAwayWhenTheyAreSwitchedOff) {
  ASSERT_THAT(tripwires_.Use(policy_), IsOk());
  const std::filesystem::path late = Make("ann/Documents");
  ASSERT_THAT(tripwires_.CheckCanaries(), IsOk());
  ASSERT_THAT(NamesIn(late), SizeIs(2));
  v1::FileChanged change;
  change.set_change(v1::FileChanged::CHANGE_MODIFIED);
  change.set_path(NamesIn(late).front());
  tripwires_.Look(change, Content::kNoise, "", 0);
  EXPECT_THAT(sink_.Events(), SizeIs(1));
  policy_.tripwires.set_off(true);
  policy_.canary_homes.clear();
  ASSERT_THAT(tripwires_.Use(policy_), IsOk());
  EXPECT_THAT(NamesIn(late), IsEmpty());
}

TEST_F(DefaultCanaries, OneThatComesBackChangedTripsAndOneAsItWasDoesNot) {
  const std::filesystem::path documents = Make("ann/Documents");
  ASSERT_THAT(tripwires_.Use(policy_), IsOk());
  const std::string canary = NamesIn(documents).front();
  v1::FileChanged change;
  change.set_change(v1::FileChanged::CHANGE_CREATED);
  change.set_path(canary);
  change.mutable_state()->set_size(std::filesystem::file_size(canary));
  tripwires_.Look(change, Content::kOrdered, "", 0, /*moved_in=*/true);
  change.mutable_state()->set_sha256(*Sha256OfFile(canary));
  tripwires_.Look(change, Content::kOrdered, "", 0, /*moved_in=*/true);
  EXPECT_THAT(sink_.Events(), IsEmpty());
  change.mutable_state()->set_sha256(std::string(32, 'x'));
  tripwires_.Look(change, Content::kNoise, "", 0, /*moved_in=*/true);
  ASSERT_THAT(sink_.Events(), SizeIs(1));
  EXPECT_EQ(sink_.Events().front().event.finding().detail(), "a canary file came back changed");
}

// Their server may be gone, and nobody would see canaries touched there.
TEST_F(DefaultCanaries, AreNotLookedForOnNetworkFileSystems) {
  const platform::Filesystem near{.kind = platform::FilesystemKind::kLocal, .name = "ext4"};
  const platform::Filesystem far{.kind = platform::FilesystemKind::kNetwork, .name = "nfs4"};
  Make("ann/Documents");
  Make("ben/Documents");
  const std::filesystem::path desktop = Make("ben/Desktop");
  const std::vector<platform::MountEntry> some_far = {
      {.id = 1, .parent = 0, .point = "/", .filesystem = near},
      {.id = 2, .parent = 1, .point = (homes_ / "ann").string(), .filesystem = far},
      {.id = 3, .parent = 1, .point = (homes_ / "ben/Documents").string(), .filesystem = far}};
  const auto folders = FoldersOfDocuments({homes_.Path()}, platform::MountTable(some_far));
  ASSERT_THAT(folders, IsOk());
  EXPECT_THAT(*folders, ::testing::ElementsAre(desktop));
  const std::vector<platform::MountEntry> all_far = {{.id = 1, .parent = 0, .point = "/", .filesystem = far}};
  const auto none = FoldersOfDocuments({homes_.Path()}, platform::MountTable(all_far));
  ASSERT_THAT(none, IsOk());
  EXPECT_THAT(*none, IsEmpty());
}

TEST_F(DefaultCanaries, WhereNobodyHasAFolderThereAreNone) {
  std::filesystem::remove(homes_.Path());
  EXPECT_THAT(tripwires_.Use(policy_), IsOk());
}

TEST_F(DefaultCanaries, AFolderOfPeopleThatCannotBeReadIsToldAndKeepsItsCanaries) {
  const std::filesystem::path documents = Make("ann/Documents");
  ASSERT_THAT(tripwires_.Use(policy_), IsOk());
  const std::filesystem::path aside = homes_.Path().string() + ".aside";
  std::filesystem::rename(homes_.Path(), aside);
  std::ofstream(homes_.Path()) << "no folder";
  const absl::Status checked = tripwires_.CheckCanaries();
  std::filesystem::remove(homes_.Path());
  std::filesystem::rename(aside, homes_.Path());
  EXPECT_FALSE(checked.ok());
  EXPECT_THAT(NamesIn(documents), SizeIs(2));
}

}  // namespace
}  // namespace cordon::agent
