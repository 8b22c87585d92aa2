#include "agent/integrity/tree_walk.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <map>
#include <vector>

#include "common/base/strings.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using cordon::testing::TempFolder;
using platform::RawFileEvent;

// A walk that is held at the first thing that it finds, while jobs come.
class TreeWalkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    File("first/f");
    walk_.Ask(Job("first", 1));
    at_first_.wait(false);
  }
  void File(const std::string& name) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << "x";
  }
  TreeWalk::Job Job(const std::string& root, uint32_t pid, RawFileEvent::Kind kind = RawFileEvent::kCreated) {
    return {.roots = {folder_ / root}, .event = {.kind = kind, .pid = pid}};
  }
  // All that was asked for is walked.
  std::vector<RawFileEvent> Found(size_t at_least) {
    go_on_ = true;
    go_on_.notify_all();
    for (int i = 0; i < 1'000 && Count() < at_least; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // and nothing more
    walk_.Stop();
    return found_;
  }
  size_t Count() {
    const std::lock_guard lock(mutex_);
    return found_.size();
  }

  TempFolder folder_;
  std::atomic<bool> at_first_ = false;
  std::atomic<bool> go_on_ = false;
  std::mutex mutex_;
  std::vector<RawFileEvent> found_;
  TreeWalk walk_{[this](RawFileEvent event) {
    at_first_ = true;
    at_first_.notify_all();
    go_on_.wait(false);
    const std::lock_guard lock(mutex_);
    found_.push_back(std::move(event));
  }};
};

TEST_F(TreeWalkTest, OverflowsWhileOneIsWalkedAreOneWalk) {
  File("root/f");
  File("root/inner/g");
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(walk_.Ask(Job("root", 0, RawFileEvent::kModified)));
    EXPECT_TRUE(walk_.Ask(Job("root/inner", 0, RawFileEvent::kModified)));
  }
  std::map<std::string, int> times;
  for (const RawFileEvent& event : Found(4)) ++times[event.path.string()];
  EXPECT_EQ(times.size(), 4U);
  for (const auto& [path, count] : times) EXPECT_EQ(count, 1) << path;
}

TEST_F(TreeWalkTest, NobodyIsNamedForWhatAnotherProcessMovedIn) {
  constexpr uint32_t kProcesses = 200;
  for (uint32_t pid = 2; pid < 2 + kProcesses; ++pid) {
    File(StrCat("by", pid, "/f"));
    EXPECT_TRUE(walk_.Ask(Job(StrCat("by", pid), pid)));
  }
  EXPECT_TRUE(walk_.Ask(Job("first", 0, RawFileEvent::kModified)));
  uint32_t named = 0;
  size_t told = 0;
  for (const RawFileEvent& event : Found(kProcesses + 2)) {
    const std::string folder = event.path.parent_path().filename().string();
    if (!folder.starts_with("by")) continue;
    ++told;
    EXPECT_EQ(event.kind, RawFileEvent::kCreated);
    if (event.pid != 0) {
      ++named;
      EXPECT_EQ(folder, StrCat("by", event.pid));
    }
  }
  EXPECT_EQ(told, kProcesses);
  EXPECT_GE(named, 60U);
}

TEST_F(TreeWalkTest, MoreFoldersThanAreKeptAreRefusedAndAFolderOfManyFilesIsWhole) {
  for (int i = 0; i < 2'500; ++i) File(StrCat("many/", i));
  EXPECT_TRUE(walk_.Ask(Job("many", 3)));
  int refused = 0;
  for (int i = 0; i < 1'500; ++i) refused += walk_.Ask(Job(StrCat("none", i), 3)) ? 0 : 1;
  EXPECT_EQ(refused, 501);
  EXPECT_EQ(Found(2'501).size(), 2'501U);
}

}  // namespace
}  // namespace cordon::agent
