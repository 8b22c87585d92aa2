// File sources on Linux beside the contract: names of any bytes, paths longer than a path may be, mounts.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstdlib>

#include "common/base/strings.h"
#include "platform/api/file_source.h"
#include "platform/linux/files/fanotify_source.h"
#include "platform/linux/system/fd.h"
#include "tests/contract/file_source/ground.h"
#include "tests/contract/file_source/tmpfs_mount.h"
#include "tests/support/event_log.h"
#include "tests/support/native.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

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
