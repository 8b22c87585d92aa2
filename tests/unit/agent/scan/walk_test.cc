#include "agent/scan/walk.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/paths.h"

namespace cordon::agent {
namespace {

TEST(Walk, AFolderComesBeforeWhatIsInItAndThatBeforeItsNextSibling) {
  std::vector<std::string> paths = {"/a-b", "/a/z", "/b", "/a", "/", "/a/c/d", "/a/c", "/a.b/c", ""};
  std::ranges::sort(paths, WalksBefore);
  EXPECT_EQ(paths,
            (std::vector<std::string>{"", "/", "/a", "/a/c", "/a/c/d", "/a/z", "/a-b", "/a.b/c", "/b"}));
}

TEST(Walk, OnlyWholeNamesAreBelow) {
  EXPECT_TRUE(IsAtOrBelow("/a/b", "/a"));
  EXPECT_TRUE(IsAtOrBelow("/a", "/a"));
  EXPECT_TRUE(IsAtOrBelow("/a", "/"));
  EXPECT_FALSE(IsAtOrBelow("/ab", "/a"));
  EXPECT_FALSE(IsAtOrBelow("/a", "/a/b"));
  EXPECT_TRUE(IsAtOrBelow("C:/a", "C:/"));
  EXPECT_FALSE(IsAtOrBelow("D:/a", "C:/"));
}

FolderPtr Begun(Frontier* frontier, const std::string& path) {
  auto folder = std::make_shared<Folder>();
  folder->path = path;
  frontier->Begin(folder);
  frontier->Begin(folder);  // twice is once
  return folder;
}

TEST(Frontier, AFolderIsDoneWhenAllBeforeItAreToo) {
  Frontier frontier;
  const FolderPtr a = Begun(&frontier, "/a");
  const FolderPtr b = Begun(&frontier, "/b");
  a->listed = b->listed = true;
  a->unread = 1;
  EXPECT_TRUE(frontier.TakeDone().empty());
  a->unread = 0;
  const auto done = frontier.TakeDone();
  ASSERT_EQ(done.size(), 2U);
  EXPECT_EQ(done.back(), b);
  EXPECT_TRUE(frontier.TakeDone().empty());
}

TEST(Progress, CountsAddUpAndTheListIsBounded) {
  v1::ScanProgress whole;
  v1::ScanProgress part;
  part.set_files_done(2);
  part.set_findings(1);
  for (int i = 0; i < 800; ++i) AddNotScanned("/x", "no", &part);
  AddTo(part, &whole);
  AddTo(part, &whole);
  EXPECT_EQ(whole.files_done(), 4U);
  EXPECT_EQ(whole.findings(), 2U);
  EXPECT_EQ(whole.not_scanned_count(), 1600U);
  EXPECT_EQ(whole.not_scanned_size(), 1000);
  v1::ScanProgress large;
  for (int i = 0; i < 100; ++i) AddNotScanned(std::string(4000, 'x'), "no", &large);
  EXPECT_EQ(large.not_scanned_count(), 100U);
  EXPECT_LT(large.ByteSizeLong(), 110U * 1024);
}

}  // namespace
}  // namespace cordon::agent
