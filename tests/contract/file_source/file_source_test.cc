// What every file source must do, on each ground of this system. The writers are other processes: a source
// leaves out its own process's events.

#include "platform/api/file_source.h"

#include <gtest/gtest.h>

#include <fstream>

#include "common/base/strings.h"
#include "platform/api/process_source.h"
#include "tests/contract/file_source/ground.h"
#include "tests/support/event_log.h"
#include "tests/support/native.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

namespace fs = std::filesystem;
using cordon::testing::EventLog;
using cordon::testing::Ground;
using cordon::testing::TempFolder;
using Kind = RawFileEvent::Kind;

constexpr const char* kOldSubfolders =
    "ReadDirectoryChangesW tells nothing of subfolders that stood before it";

class FileSourceContract : public ::testing::TestWithParam<Ground> {
 protected:
  void SetUp() override {
    if (const std::string why = testing::WhyNoFileSource(); !why.empty()) GTEST_SKIP() << why;
    prepared_ = GetParam().prepare(folder_.Path());
    root_ = folder_ / "root";
    outside_ = folder_ / "outside";
    fs::create_directory(root_);
    fs::create_directory(outside_);
  }

  void StartWatching() { StartWatching({.roots = {root_}, .excluded = {root_ / "excluded"}, .canary = {}}); }
  void StartWatching(const FileWatch& watch) {
    const absl::Status status = source_->Start(watch, log_.Deliver());
    ASSERT_TRUE(status.ok()) << status;
  }

  // In another process, in root_'s parent; see tests/support/errand.cc.
  void Do(const std::vector<std::string>& errand) {
    ASSERT_EQ(testing::RunErrand(errand, folder_.Path()), 0) << errand[0] << " " << errand[1];
  }
  bool Told(Kind kind, const fs::path& path) { return log_.WaitFor(kind, path); }
  // The last thing that a writer's source tells of a written file.
  bool ToldWritten(const fs::path& path) {
    return Told(GetParam().tells_closing ? Kind::kClosedWrite : Kind::kModified, path);
  }
  // A move, or where a source tells that from another folder as something else: the creation that it is here.
  bool ToldAdded(const fs::path& path) {
    return log_.WaitFor([&](const RawFileEvent& event) {
      return event.path == path && (event.kind == Kind::kRenamed || event.kind == Kind::kCreated);
    });
  }

  TempFolder folder_;
  std::shared_ptr<void> prepared_;
  fs::path root_, outside_;
  EventLog log_;
  std::unique_ptr<FileSource> source_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(Native, FileSourceContract, ::testing::ValuesIn(testing::FileGrounds()),
                         [](const auto& ground) { return ground.param.name; });

TEST_P(FileSourceContract, ANewFileIsCreatedWrittenAndClosedBySomebody) {
  StartWatching();
  Do({"write", "root/a", "hello"});
  EXPECT_TRUE(Told(Kind::kCreated, root_ / "a"));
  EXPECT_TRUE(Told(Kind::kModified, root_ / "a"));
  EXPECT_TRUE(ToldWritten(root_ / "a"));
  for (const RawFileEvent& event : log_.Events()) {
    if (!GetParam().may_tell_who) {
      EXPECT_EQ(event.pid != 0, GetParam().tells_who);
    }
    EXPECT_NE(event.pid, OwnPid());
    EXPECT_GT(event.boottime_nanos, 0);
    EXPECT_FALSE(event.is_directory);
  }
}

TEST_P(FileSourceContract, ModifyAttributesAndDeleteOfAnOldFile) {
  Do({"write", "root/a", "hello"});
  StartWatching();
  Do({"append", "root/a", "more"});
  EXPECT_TRUE(Told(Kind::kModified, root_ / "a"));
  source_->Stop();
  const size_t before = log_.Events().size();
  source_ = GetParam().make();
  StartWatching();
  Do({"read-only", "root/a"});
  if (GetParam().tells_attributes) {
    EXPECT_TRUE(Told(Kind::kAttributes, root_ / "a"));
  } else {
    EXPECT_TRUE(log_.WaitForMoreThan(before)) << "among the modifications";
  }
  Do({"writable", "root/a"});
  Do({"remove", "root/a"});
  EXPECT_TRUE(Told(Kind::kDeleted, root_ / "a"));
}

TEST_P(FileSourceContract, RenameWithinTheRootHasBothNames) {
  Do({"write", "root/a", "hello"});
  StartWatching();
  Do({"rename", "root/a", "root/b"});
  EXPECT_TRUE(log_.WaitFor([&](const RawFileEvent& event) {
    return event.kind == Kind::kRenamed && event.old_path == root_ / "a" && event.path == root_ / "b";
  }));
}

TEST_P(FileSourceContract, RenameInAndOutOfTheRootIsTold) {
  Do({"write", "outside/in", "in"});
  Do({"write", "root/out", "out"});
  StartWatching();
  Do({"rename", "outside/in", "root/in"});
  Do({"rename", "root/out", "outside/out"});
  EXPECT_TRUE(ToldAdded(root_ / "in"));
  EXPECT_TRUE(log_.WaitFor([&](const RawFileEvent& event) {
    return (event.kind == Kind::kRenamed && event.old_path == root_ / "out") ||
           (event.kind == Kind::kDeleted && event.path == root_ / "out");
  }));
}

TEST_P(FileSourceContract, ANewTreeIsWatchedFromItsFirstFile) {
  StartWatching();
  Do({"folders", "root/x/y/z"});
  Do({"write", "root/x/y/z/file", "deep"});
  EXPECT_TRUE(Told(Kind::kCreated, root_ / "x"));
  EXPECT_TRUE(Told(Kind::kCreated, root_ / "x/y/z"));
  EXPECT_TRUE(Told(Kind::kCreated, root_ / "x/y/z/file"));
  Do({"write", "root/x/y/z/later", "later"});
  EXPECT_TRUE(ToldWritten(root_ / "x/y/z/later"));
}

TEST_P(FileSourceContract, WhatHappensInOldSubfoldersIsTold) {
  Do({"folders", "root/x/y"});
  CORDON_SKIP_UNDER_WINE(kOldSubfolders);
  StartWatching();
  Do({"write", "root/x/y/file", "deep"});
  EXPECT_TRUE(Told(Kind::kCreated, root_ / "x/y/file"));
}

TEST_P(FileSourceContract, AfterAFolderIsRenamedItsFilesHaveTheNewPath) {
  Do({"folders", "root/old/inner"});
  CORDON_SKIP_UNDER_WINE(kOldSubfolders);
  StartWatching();
  Do({"write", "root/old/inner/one", "1"});
  ASSERT_TRUE(Told(Kind::kCreated, root_ / "old/inner/one"));
  Do({"rename", "root/old", "root/new"});
  Do({"write", "root/new/inner/two", "2"});
  EXPECT_TRUE(Told(Kind::kCreated, root_ / "new/inner/two"));
}

TEST_P(FileSourceContract, AnOldTreeThatIsDeletedIsToldFileByFile) {
  Do({"folders", "root/t/a/b"});
  Do({"many", "root/t/a/b/f", "3"});
  Do({"write", "root/t/1", "1"});
  CORDON_SKIP_UNDER_WINE(kOldSubfolders);
  StartWatching();
  Do({"remove-all", "root/t"});
  EXPECT_TRUE(Told(Kind::kDeleted, root_ / "t"));
  for (const char* path : {"t/1", "t/a/b/f1", "t/a/b/f2", "t/a/b/f3", "t/a/b", "t/a"})
    EXPECT_TRUE(Told(Kind::kDeleted, root_ / path)) << path;
  EXPECT_FALSE(log_.Has([](const RawFileEvent& event) { return event.kind == Kind::kOverflow; }));
}

// TEL-1: what is in it already was told by nobody.
TEST_P(FileSourceContract, TEL1_AFolderThatComesWithFilesIsNotTakenForAnEmptyOne) {
  Do({"folders", "outside/tree"});
  Do({"write", "outside/tree/file", "1"});
  StartWatching();
  Do({"folders", "root/empty"});
  Do({"rename", "outside/tree", "root/tree"});
  EXPECT_TRUE(log_.WaitFor([&](const RawFileEvent& event) {
    return event.path == root_ / "tree" && event.is_directory &&
           (event.kind == Kind::kRenamed || event.may_have_content);
  }));
  EXPECT_TRUE(Told(Kind::kCreated, root_ / "empty"));
}

TEST_P(FileSourceContract, ARootThatComesLaterIsWatchedFromThenOn) {
  fs::remove(root_);
  StartWatching({.roots = {root_ / "not/yet"}, .excluded = {}, .canary = {}});
  Do({"folders", "root/not/yet"});
  Do({"write", "root/not/yet/file", "1"});
  // What came before it was watched is told as lost, if it is not told.
  EXPECT_TRUE(log_.WaitFor([&](const RawFileEvent& event) {
    return event.path == root_ / "not/yet/file" ||
           (event.kind == Kind::kOverflow && event.path == root_ / "not/yet");
  }));
  Do({"write", "root/not/yet/later", "2"});
  EXPECT_TRUE(ToldWritten(root_ / "not/yet/later"));
}

TEST_P(FileSourceContract, WhatIsOutsideOrExcludedIsLeftOutAndOwnWhereItIsKnown) {
  fs::create_directory(root_ / "excluded");
  StartWatching();
  std::ofstream(root_ / "own") << "by this very process";
  Do({"write", "root/excluded/a", "1"});
  Do({"write", "outside/b", "2"});
  Do({"write", "root/excluded-not", "3"});
  Do({"write", "root/last", "last"});
  ASSERT_TRUE(ToldWritten(root_ / "last"));
  EXPECT_TRUE(log_.Has([&](const RawFileEvent& event) { return event.path == root_ / "excluded-not"; }));
  for (const RawFileEvent& event : log_.Events()) {
    if (GetParam().tells_who) {
      EXPECT_NE(event.path, root_ / "own");
    }
    EXPECT_NE(event.path, root_ / "excluded/a");
    EXPECT_NE(event.path, outside_ / "b");
  }
}

TEST_P(FileSourceContract, TheCanaryIsToldEvenWhenItIsOwnAndExcluded) {
  fs::create_directories(root_ / "excluded/canary");
  StartWatching({.roots = {root_}, .excluded = {root_ / "excluded"}, .canary = root_ / "excluded/canary"});
  std::ofstream(root_ / "excluded/canary/probe") << "mine";
  EXPECT_TRUE(ToldWritten(root_ / "excluded/canary/probe"));
}

TEST_P(FileSourceContract, StopDeliversWhatWasQueuedAndNothingAfter) {
  StartWatching();
  Do({"many", "root/f", "200"});
  source_->Stop();
  const size_t events = log_.Events().size();
  EXPECT_TRUE(log_.Has([&](const RawFileEvent& event) { return event.path == root_ / "f200"; }));
  Do({"write", "root/late", "late"});
  EXPECT_EQ(log_.Events().size(), events);
}

TEST_P(FileSourceContract, TEL1_NothingIsLostInABurstWithoutAnOverflow) {
  constexpr int kFiles = 3'000;
  StartWatching();
  Do({"many", "root/f", std::to_string(kFiles)});
  source_->Stop();
  int created = 0;
  bool overflow = false;
  for (const RawFileEvent& event : log_.Events()) {
    created += event.kind == Kind::kCreated ? 1 : 0;
    overflow = overflow || event.kind == Kind::kOverflow;
  }
  EXPECT_TRUE(created == kFiles || overflow) << created;
}

TEST_P(FileSourceContract, ARelativeRootIsRefused) {
  const absl::Status status =
      source_->Start({.roots = {"etc"}, .excluded = {}, .canary = {}}, log_.Deliver());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
}

TEST_P(FileSourceContract, InfoNamesTheWayOfWatching) {
  StartWatching();
  EXPECT_EQ(source_->Info().name, GetParam().source);
}

}  // namespace
}  // namespace cordon::platform
