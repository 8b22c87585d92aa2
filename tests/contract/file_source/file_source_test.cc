// What every file source must do, on the real kernel: on a file system that is marked whole, on tmpfs, and
// folder by folder. The writers are other processes: a source leaves out its own process's events.

#include "platform/api/file_source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <optional>

#include "common/base/strings.h"
#include "platform/linux/files/fanotify_source.h"
#include "platform/linux/system/fd.h"
#include "tests/support/event_log.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

using cordon::testing::EventLog;
using cordon::testing::TempFolder;
using Kind = RawFileEvent::Kind;

struct Ground {
  std::string name;
  bool tmpfs = false;
  bool folder_marks_only = false;
};

class TmpfsMount {
 public:
  explicit TmpfsMount(std::filesystem::path at) : at_(std::move(at)) {
    mounted_ = mount("cordon-test", at_.c_str(), "tmpfs", 0, "size=16m") == 0;
  }
  TmpfsMount(const TmpfsMount&) = delete;
  ~TmpfsMount() {
    if (mounted_) umount2(at_.c_str(), MNT_DETACH);
  }
  bool Mounted() const { return mounted_; }

 private:
  std::filesystem::path at_;
  bool mounted_ = false;
};

class FileSourceContract : public ::testing::TestWithParam<Ground> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "fanotify needs root";
    if (GetParam().tmpfs) {
      mount_.emplace(folder_.Path());
      ASSERT_TRUE(mount_->Mounted());
    }
    root_ = folder_ / "root";
    outside_ = folder_ / "outside";
    std::filesystem::create_directory(root_);
    std::filesystem::create_directory(outside_);
  }

  void StartWatching() { StartWatching({.roots = {root_}, .excluded = {root_ / "excluded"}, .canary = {}}); }
  void StartWatching(const FileWatch& watch) {
    source_ = MakeFanotifySource({.folder_marks_only = GetParam().folder_marks_only});
    const absl::Status status = source_->Start(watch, log_.Deliver());
    ASSERT_TRUE(status.ok()) << status;
  }

  // Runs in another process, in root_'s parent.
  void Shell(const std::string& command) {
    ASSERT_EQ(std::system(("cd " + folder_.Path().string() + " && " + command).c_str()), 0) << command;
  }

  TempFolder folder_;
  std::optional<TmpfsMount> mount_;
  std::filesystem::path root_, outside_;
  EventLog log_;
  std::unique_ptr<FileSource> source_;
};

TEST_P(FileSourceContract, ANewFileIsCreatedWrittenAndClosedBySomebody) {
  StartWatching();
  Shell("echo hello > root/a");
  EXPECT_TRUE(log_.WaitFor(Kind::kCreated, root_ / "a"));
  EXPECT_TRUE(log_.WaitFor(Kind::kModified, root_ / "a"));
  EXPECT_TRUE(log_.WaitFor(Kind::kClosedWrite, root_ / "a"));
  for (const RawFileEvent& event : log_.Events()) {
    EXPECT_NE(event.pid, 0U);
    EXPECT_NE(event.pid, static_cast<uint32_t>(getpid()));
    EXPECT_GT(event.boottime_nanos, 0);
    EXPECT_FALSE(event.is_directory);
  }
}

TEST_P(FileSourceContract, ModifyAttributesAndDeleteOfAnOldFile) {
  Shell("echo hello > root/a");
  StartWatching();
  Shell("echo more >> root/a");
  EXPECT_TRUE(log_.WaitFor(Kind::kModified, root_ / "a"));
  Shell("chmod 600 root/a");
  EXPECT_TRUE(log_.WaitFor(Kind::kAttributes, root_ / "a"));
  Shell("rm root/a");
  EXPECT_TRUE(log_.WaitFor(Kind::kDeleted, root_ / "a"));
}

TEST_P(FileSourceContract, RenameWithinTheRootHasBothNames) {
  Shell("echo hello > root/a");
  StartWatching();
  Shell("mv root/a root/b");
  EXPECT_TRUE(log_.WaitFor([&](const RawFileEvent& event) {
    return event.kind == Kind::kRenamed && event.old_path == root_ / "a" && event.path == root_ / "b";
  }));
}

TEST_P(FileSourceContract, RenameInAndOutOfTheRootIsTold) {
  Shell("echo in > outside/in; echo out > root/out");
  StartWatching();
  Shell("mv outside/in root/in; mv root/out outside/out");
  EXPECT_TRUE(log_.WaitFor(
      [&](const RawFileEvent& event) { return event.kind == Kind::kRenamed && event.path == root_ / "in"; }));
  EXPECT_TRUE(log_.WaitFor([&](const RawFileEvent& event) {
    return event.kind == Kind::kRenamed && event.old_path == root_ / "out";
  }));
}

TEST_P(FileSourceContract, ANewTreeIsWatchedFromItsFirstFile) {
  StartWatching();
  Shell("mkdir -p root/x/y/z && echo deep > root/x/y/z/file");
  EXPECT_TRUE(log_.WaitFor(Kind::kCreated, root_ / "x"));
  EXPECT_TRUE(log_.WaitFor(Kind::kCreated, root_ / "x/y/z"));
  EXPECT_TRUE(log_.WaitFor(Kind::kCreated, root_ / "x/y/z/file"));
  Shell("echo later > root/x/y/z/later");
  EXPECT_TRUE(log_.WaitFor(Kind::kClosedWrite, root_ / "x/y/z/later"));
}

TEST_P(FileSourceContract, AfterAFolderIsRenamedItsFilesHaveTheNewPath) {
  Shell("mkdir -p root/old/inner");
  StartWatching();
  Shell("echo 1 > root/old/inner/one");
  ASSERT_TRUE(log_.WaitFor(Kind::kCreated, root_ / "old/inner/one"));
  Shell("mv root/old root/new && echo 2 > root/new/inner/two");
  EXPECT_TRUE(log_.WaitFor(Kind::kCreated, root_ / "new/inner/two"));
}

TEST_P(FileSourceContract, AnOldTreeThatIsDeletedIsToldFileByFile) {
  Shell("mkdir -p root/t/a/b && touch root/t/1 root/t/a/2 root/t/a/b/3");
  StartWatching();
  Shell("rm -rf root/t");
  EXPECT_TRUE(log_.WaitFor(Kind::kDeleted, root_ / "t"));
  for (const char* path : {"t/1", "t/a/2", "t/a/b/3", "t/a/b", "t/a"}) {
    EXPECT_TRUE(log_.WaitFor(Kind::kDeleted, root_ / path)) << path;
  }
  EXPECT_FALSE(log_.Has([](const RawFileEvent& event) { return event.kind == Kind::kOverflow; }));
}

TEST_P(FileSourceContract, ARootThatComesLaterIsWatchedFromThenOn) {
  std::filesystem::remove(root_);
  StartWatching({.roots = {root_ / "not/yet"}, .excluded = {}, .canary = {}});
  Shell("mkdir -p root/not/yet && echo 1 > root/not/yet/file");
  EXPECT_TRUE(log_.WaitFor(Kind::kCreated, root_ / "not/yet/file"));
  Shell("echo 2 > root/not/yet/later");
  EXPECT_TRUE(log_.WaitFor(Kind::kClosedWrite, root_ / "not/yet/later"));
}

TEST_P(FileSourceContract, WhatIsOutsideExcludedOrOwnIsLeftOut) {
  StartWatching();
  std::ofstream(root_ / "own") << "by this very process";
  Shell("mkdir root/excluded && echo 1 > root/excluded/a; echo 2 > outside/b; echo 3 > root/excluded-not");
  Shell("echo last > root/last");
  ASSERT_TRUE(log_.WaitFor(Kind::kClosedWrite, root_ / "last"));
  EXPECT_TRUE(log_.Has([&](const RawFileEvent& event) { return event.path == root_ / "excluded-not"; }));
  for (const RawFileEvent& event : log_.Events()) {
    EXPECT_NE(event.path, root_ / "own");
    EXPECT_NE(event.path, root_ / "excluded/a");
    EXPECT_NE(event.path, outside_ / "b");
  }
}

TEST_P(FileSourceContract, TheCanaryIsToldEvenWhenItIsOwnAndExcluded) {
  std::filesystem::create_directories(root_ / "excluded/canary");
  StartWatching({.roots = {root_}, .excluded = {root_ / "excluded"}, .canary = root_ / "excluded/canary"});
  std::ofstream(root_ / "excluded/canary/probe") << "mine";
  EXPECT_TRUE(log_.WaitFor(Kind::kClosedWrite, root_ / "excluded/canary/probe"));
}

TEST_P(FileSourceContract, OddNamesArriveAsTheyAre) {
  StartWatching();
  const std::string name = "line\nbreak \xff\xfe (deleted)";
  Shell("touch \"$(printf 'root/line\\nbreak \\377\\376 (deleted)')\"");
  EXPECT_TRUE(log_.WaitFor(Kind::kCreated, root_ / name));
}

TEST_P(FileSourceContract, AFolderThatCannotBeWatchedCostsNoOtherOne) {
  const std::string name(250, 'n');
  Fd folder(open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < 20; ++i) {  // longer than a path may be
    ASSERT_EQ(mkdirat(folder.Get(), name.c_str(), 0700), 0);
    folder = Fd(openat(folder.Get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  std::filesystem::create_directory(root_ / "other");
  StartWatching();
  Shell("echo 1 > root/other/file");
  EXPECT_TRUE(log_.WaitFor(Kind::kClosedWrite, root_ / "other/file"));
  const std::vector<std::string> limitations = source_->Info().limitations;
  ASSERT_EQ(limitations.size(), GetParam().folder_marks_only ? 1U : 0U);
  for (const std::string& text : limitations) {
    EXPECT_LT(text.size(), 500U);
    EXPECT_TRUE(text.ends_with("File name too long")) << text;
  }
}

TEST_P(FileSourceContract, StopDeliversWhatWasQueuedAndNothingAfter) {
  StartWatching();
  Shell("for i in $(seq 200); do echo $i > root/f$i; done");
  source_->Stop();
  const size_t events = log_.Events().size();
  EXPECT_TRUE(log_.Has([&](const RawFileEvent& event) { return event.path == root_ / "f200"; }));
  Shell("echo late > root/late");
  EXPECT_EQ(log_.Events().size(), events);
}

TEST_P(FileSourceContract, ARelativeRootIsRefused) {
  source_ = MakeFanotifySource({.folder_marks_only = GetParam().folder_marks_only});
  const absl::Status status =
      source_->Start({.roots = {"etc"}, .excluded = {}, .canary = {}}, log_.Deliver());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(FileSourceContract, InfoNamesTheWayOfWatching) {
  StartWatching();
  EXPECT_EQ(source_->Info().name,
            GetParam().folder_marks_only ? "fanotify-directory" : "fanotify-filesystem");
}

INSTANTIATE_TEST_SUITE_P(Native, FileSourceContract,
                         ::testing::Values(Ground{"Filesystem", false, false}, Ground{"Tmpfs", true, false},
                                           Ground{"FolderByFolder", false, true},
                                           Ground{"TmpfsFolderByFolder", true, true}),
                         [](const auto& ground) { return ground.param.name; });

// Files that come in `folder` are told: at once, or as soon as the mount was noticed.
bool IsWatched(const std::filesystem::path& folder, EventLog& log) {
  static int number = 0;
  for (int i = 0; i < 40; ++i) {
    const std::filesystem::path file = folder / StrCat("file", ++number);
    if (std::system(StrCat("echo 1 > ", file.string(), "; sleep 0.05").c_str()) != 0) return false;
    if (log.Has([&](const auto& event) { return event.path == file; })) return true;
  }
  return false;
}

TEST(FileSourceMounts, AMountAtARootAndOneInThePlaceOfAnotherAreWatched) {
  if (geteuid() != 0) GTEST_SKIP() << "fanotify needs root";
  for (const bool folder_marks_only : {false, true}) {
    const TempFolder folder;
    const std::filesystem::path root = folder / "root";
    std::filesystem::create_directories(root / "stick");
    EventLog log;
    const auto source = MakeFanotifySource({.folder_marks_only = folder_marks_only});
    ASSERT_TRUE(source->Start({.roots = {root}, .excluded = {}, .canary = {}}, log.Deliver()).ok());
    for (const char* which : {"first", "second"}) {
      const TmpfsMount stick(root / "stick");
      ASSERT_TRUE(stick.Mounted());
      EXPECT_TRUE(IsWatched(root / "stick", log)) << which << " stick, " << folder_marks_only;
    }
    const size_t limitations = source->Info().limitations.size();
    {
      const TmpfsMount over(root);
      ASSERT_TRUE(over.Mounted());
      EXPECT_TRUE(IsWatched(root, log)) << "a mount at the root, " << folder_marks_only;
    }
    EXPECT_TRUE(IsWatched(root, log)) << "what was there before, " << folder_marks_only;
    EXPECT_EQ(source->Info().limitations.size(), limitations);
    source->Stop();
  }
}

// A file system that is mounted below a root after the start.
TEST(FileSourceMounts, AMountThatComesLaterIsWatched) {
  if (geteuid() != 0) GTEST_SKIP() << "fanotify needs root";
  const TempFolder folder;
  EventLog log;
  const auto source = MakeFileSource();
  std::filesystem::create_directory(folder / "stick");
  ASSERT_TRUE(source->Start({.roots = {folder.Path()}, .excluded = {}, .canary = {}}, log.Deliver()).ok());
  {
    const TmpfsMount mount(folder / "stick");
    ASSERT_TRUE(mount.Mounted());
    for (int i = 0; i < 100 && !log.Has([](const auto& event) { return event.kind == Kind::kCreated; });
         ++i) {
      const std::string file = (folder / "stick/file").string() + std::to_string(i);
      ASSERT_EQ(std::system(("echo 1 > " + file + "; sleep 0.05").c_str()), 0);
    }
    EXPECT_TRUE(log.Has(
        [&](const auto& event) { return event.path.string().starts_with((folder / "stick/").string()); }));
    // Watching must not keep anybody from taking the stick out.
    EXPECT_EQ(umount((folder / "stick").c_str()), 0);
  }
  source->Stop();
}

}  // namespace
}  // namespace cordon::platform
