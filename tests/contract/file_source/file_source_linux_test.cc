// File sources on Linux beside the contract: names of any bytes, paths longer than a path may be, mounts.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <future>
#include <span>
#include <string>
#include <utility>

#include "common/base/strings.h"
#include "platform/api/file_source.h"
#include "platform/linux/files/fanotify_group.h"
#include "platform/linux/files/fanotify_source.h"
#include "platform/linux/files/open_folder.h"
#include "platform/linux/files/watch_map.h"
#include "platform/linux/files/watch_scope.h"
#include "platform/linux/system/fd.h"
#include "tests/contract/file_source/dead_mount.h"
#include "tests/contract/file_source/ground.h"
#include "tests/contract/file_source/tmpfs_mount.h"
#include "tests/support/event_log.h"
#include "tests/support/native.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

using cordon::testing::DeadMount;
using cordon::testing::EventLog;
using cordon::testing::Ground;
using cordon::testing::TempFolder;
using cordon::testing::TmpfsMount;
using Kind = RawFileEvent::Kind;

class LinuxFileSource : public ::testing::TestWithParam<Ground> {
 protected:
  void SetUp() override {
    if (const std::string why = testing::WhyNoFileSource(); !why.empty()) GTEST_SKIP() << why;
    prepared_ = GetParam().prepare(folder_.Path());
    root_ = folder_ / "root";
    std::filesystem::create_directory(root_);
  }
  void StartWatching() {
    const absl::Status status =
        source_->Start({.roots = {root_}, .excluded = {}, .canary = {}}, log_.Deliver());
    ASSERT_TRUE(status.ok()) << status;
  }
  // Runs in another process, in root_'s parent.
  void Shell(const std::string& command) {
    ASSERT_EQ(std::system(("cd " + folder_.Path().string() + " && " + command).c_str()), 0) << command;
  }

  TempFolder folder_;
  std::shared_ptr<void> prepared_;
  std::filesystem::path root_;
  EventLog log_;
  std::unique_ptr<FileSource> source_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(Native, LinuxFileSource, ::testing::ValuesIn(testing::FileGrounds()),
                         [](const auto& ground) { return ground.param.name; });

TEST_P(LinuxFileSource, OddNamesArriveAsTheyAre) {
  StartWatching();
  const std::string name = "line\nbreak \xff\xfe (deleted)";
  Shell("touch \"$(printf 'root/line\\nbreak \\377\\376 (deleted)')\"");
  EXPECT_TRUE(log_.WaitFor(Kind::kCreated, root_ / name));
}

// What a program does in one go, as a database's commit is, wakes the agent once: the first event waits for
// those that follow. A few times in twenty are enough, as a busy machine may come between.
TEST_P(LinuxFileSource, WhatAProgramDoesInOneGoIsDeliveredTogether) {
  std::atomic<int> together = 0;
  const auto has = [](std::span<RawFileEvent> events, const std::string& name) {
    return std::any_of(events.begin(), events.end(), [&](const RawFileEvent& event) {
      return event.kind == Kind::kCreated && event.path.filename().string().starts_with(name);
    });
  };
  const absl::Status status =
      source_->Start({.roots = {root_}, .excluded = {}, .canary = {}}, [&](std::span<RawFileEvent> events) {
        if (has(events, "first") && has(events, "second")) ++together;
      });
  ASSERT_TRUE(status.ok()) << status;
  for (int round = 0; round < 20 && together < 3; ++round) {
    const std::string number = std::to_string(round);
    Shell(StrCat("sleep 0.05; echo 1 > root/first", number,
                 "; i=0; while [ $i -lt 500 ]; do i=$((i+1)); done; echo 1 > root/second", number));
  }
  source_->Stop();
  EXPECT_GE(together, 3);
}

TEST_P(LinuxFileSource, AFolderThatCannotBeWatchedCostsNoOtherOne) {
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
  ASSERT_EQ(limitations.size(), GetParam().source == "fanotify-directory" ? 1U : 0U);
  for (const std::string& text : limitations) {
    EXPECT_LT(text.size(), 500U);
    EXPECT_TRUE(text.ends_with("File name too long")) << text;
  }
}

// TEL-1, and no gap without end: whoever can make folders can make these.
TEST_P(LinuxFileSource, WhatHappensDeeperThanAPathCanSayIsALimitationAndNoLoss) {
  const std::string name(250, 'n');
  Fd folder(open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(mkdirat(folder.Get(), name.c_str(), 0700), 0);
    folder = Fd(openat(folder.Get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  StartWatching();
  for (const char* file : {"a", "b", "c"}) {
    EXPECT_TRUE(Fd(openat(folder.Get(), file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)).Valid());
  }
  Shell("echo 1 > root/other");
  EXPECT_TRUE(log_.WaitFor(Kind::kClosedWrite, root_ / "other"));
  source_->Stop();
  EXPECT_FALSE(log_.Has([](const auto& event) { return event.kind == Kind::kOverflow; }));
  EXPECT_EQ(source_->Info().limitations.size(), 1U);
}

// Sets a number of the kernel for as long as it lives.
class KernelNumber {
 public:
  KernelNumber(std::filesystem::path file, const std::string& value) : file_(std::move(file)) {
    std::ifstream(file_) >> before_;
    set_ = !before_.empty() && Write(value);
  }
  KernelNumber(const KernelNumber&) = delete;
  KernelNumber& operator=(const KernelNumber&) = delete;
  ~KernelNumber() {
    if (set_) Write(before_);
  }
  bool IsSet() const { return set_; }

 private:
  bool Write(const std::string& value) {
    std::ofstream out(file_);
    out << value << std::flush;
    return out.good();
  }

  const std::filesystem::path file_;
  std::string before_;
  bool set_ = false;
};

TEST_P(LinuxFileSource, TEL1_ALaterFolderThatCannotBeWatchedIsAGapAndALimitation) {
  if (GetParam().source != "fanotify-directory") GTEST_SKIP() << "one mark is enough for this file system";
  StartWatching();
  const size_t before = source_->Info().limitations.size();
  const KernelNumber no_more_marks("/proc/sys/fs/fanotify/max_user_marks", "0");
  if (!no_more_marks.IsSet()) GTEST_SKIP() << "the kernel's limit of marks cannot be set here";
  Shell("mkdir root/late");
  EXPECT_TRUE(log_.WaitFor(Kind::kOverflow, root_ / "late"));
  const std::vector<std::string> limitations = source_->Info().limitations;
  ASSERT_EQ(limitations.size(), before + 1);
  EXPECT_TRUE(limitations.back().starts_with("too many folders to watch")) << limitations.back();
}

std::string KeyAt(const std::filesystem::path& path) {
  const absl::StatusOr<Fd> opened = OpenFolder(path);
  EXPECT_TRUE(opened.ok()) << opened.status();
  const absl::StatusOr<std::string> key = KeyOfFolder(*opened, path);
  EXPECT_TRUE(key.ok()) << key.status();
  return *key;
}

// Between the news of a folder and its mark, somebody else's can have come to its place.
TEST(WatchMapTest, AnotherFolderInThePlaceOfANewOneGetsNeitherMarkNorPath) {
  CORDON_SKIP_UNLESS_ADMINISTRATOR("fanotify needs it");
  const TempFolder folder;
  for (const char* name : {"a", "b"}) std::filesystem::create_directory(folder / name);
  std::filesystem::create_directory_symlink("b", folder / "link");
  const std::string a = KeyAt(folder / "a");
  const std::string b = KeyAt(folder / "b");
  const absl::StatusOr<FanotifyGroup> group = FanotifyGroup::Open();
  ASSERT_TRUE(group.ok()) << group.status();
  const WatchScope scope({.roots = {folder.Path()}, .excluded = {}, .sensitive = {}, .canary = {}});
  WatchMap map(*group, scope, /*folder_marks_only=*/true);
  for (const std::string& told : {a, std::string()}) map.FolderCreated(told, (folder / "link").string(), {});
  map.FolderCreated(a, (folder / "b").string(), {});
  EXPECT_EQ(map.FolderOf(a), nullptr);
  EXPECT_EQ(map.FolderOf(b), nullptr);
  map.FolderCreated(b, (folder / "b").string(), {});
  ASSERT_NE(map.FolderOf(b), nullptr);
  EXPECT_EQ(map.FolderOf(b)->path, (folder / "b").string());
  EXPECT_TRUE(map.TakeUnwatched().empty());
}

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
  CORDON_SKIP_UNLESS_ADMINISTRATOR("fanotify needs it");
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

// As all of NFS on a host that is isolated.
TEST(FileSourceMounts, OneThatDoesNotAnswerHoldsNothingUpAndIsNamed) {
  CORDON_SKIP_UNLESS_ADMINISTRATOR("fanotify needs it");
  for (const bool folder_marks_only : {false, true}) {
    const TempFolder folder;
    for (const char* name : {"dead", "alive"}) std::filesystem::create_directory(folder / name);
    DeadMount dead(folder / "dead");
    if (!dead.Mounted()) GTEST_SKIP() << "no FUSE here";
    EventLog log;
    const auto source = MakeFanotifySource({.folder_marks_only = folder_marks_only});
    std::future<absl::Status> started = std::async(std::launch::async, [&] {
      return source->Start({.roots = {folder.Path(), folder / "dead/root"}, .excluded = {}, .canary = {}},
                           log.Deliver());
    });
    const bool in_time = started.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
    EXPECT_TRUE(in_time) << folder_marks_only;
    if (!in_time) dead.GiveErrors();
    const absl::Status status = started.get();
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_TRUE(IsWatched(folder / "alive", log)) << folder_marks_only;
    int named = 0;
    for (const std::string& text : source->Info().limitations) {
      named += text.ends_with("is not watched: a network file system (fuse)") ? 1 : 0;
    }
    EXPECT_EQ(named, 2) << "the mount, and the root on it";
    source->Stop();
  }
}

// A file system that is mounted below a root after the start.
TEST(FileSourceMounts, AMountThatComesLaterIsWatched) {
  CORDON_SKIP_UNLESS_ADMINISTRATOR("fanotify needs it");
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
