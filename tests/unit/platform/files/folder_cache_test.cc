#include "platform/linux/files/folder_cache.h"

#include <gtest/gtest.h>

#include "common/base/text.h"

namespace cordon::platform {
namespace {

const WatchScope& Scope() {
  static const WatchScope scope(
      {.roots = {"/etc", "/home"}, .excluded = {"/home/ann/tmp"}, .canary = "/var/c"});
  return scope;
}

TEST(WatchScope, RootsMinusExcludedPlusCanary) {
  EXPECT_TRUE(Scope().Contains("/etc"));
  EXPECT_TRUE(Scope().Contains("/etc/ssh/x"));
  EXPECT_FALSE(Scope().Contains("/etcetera"));
  EXPECT_FALSE(Scope().Contains("/home/ann/tmp/x"));
  EXPECT_TRUE(Scope().Contains("/home/ann/tmpx"));
  EXPECT_TRUE(Scope().Contains("/var/c/probe"));
  EXPECT_FALSE(Scope().Contains("/"));
}

TEST(WatchScope, AFolderIsJudgedOnceForAllItsNames) {
  EXPECT_EQ(Scope().NamesIn("/etc/ssh"), WatchScope::Names::kAllInside);
  EXPECT_EQ(Scope().NamesIn("/tmp"), WatchScope::Names::kAllOutside);
  EXPECT_EQ(Scope().NamesIn("/"), WatchScope::Names::kMixed);
  EXPECT_EQ(Scope().NamesIn("/home/ann"), WatchScope::Names::kMixed);
  EXPECT_EQ(Scope().NamesIn("/home/ann/tmp"), WatchScope::Names::kAllOutside);
}

TEST(FolderCache, TheLeastRecentlyUsedGoesAndPinnedOnesStay) {
  FolderCache cache(Scope(), 2);
  cache.Put("pinned", "/etc/p", true);
  cache.Put("a", "/etc/a", false);
  cache.Put("b", "/etc/b", false);
  EXPECT_NE(cache.Find("a"), nullptr);
  cache.Put("c", "/etc/c", false);
  EXPECT_EQ(cache.Find("b"), nullptr);
  EXPECT_NE(cache.Find("a"), nullptr);
  EXPECT_NE(cache.Find("pinned"), nullptr);
  cache.Unpin("pinned");
  EXPECT_EQ(cache.Size(), 2U);
}

TEST(FolderCache, ARenameMovesAllBelow) {
  FolderCache cache(Scope(), 10);
  cache.Put("a", "/etc/a", false);
  cache.Put("ab", "/etc/a/b", false);
  cache.Put("ax", "/etc/ax", false);
  cache.Rename("/etc/a", "/tmp/z");
  EXPECT_EQ(cache.Find("ab")->path, "/tmp/z/b");
  EXPECT_EQ(cache.Find("ab")->names, WatchScope::Names::kAllOutside);
  EXPECT_EQ(cache.Find("ax")->path, "/etc/ax");
}

// `mv a b; mv c a`, and only then the first of the two is read: /etc/a is what was /etc/c.
TEST(FolderCache, ARenameDoesNotChangeAPathThatWasAskedForAfterIt) {
  FolderCache cache(Scope(), 10);
  cache.PutResolved("c", "/etc/a");
  cache.PutResolved("cd", "/etc/a/d");
  cache.Put("told", "/etc/a/told", false);
  cache.Put("marked", "/etc/a/marked", true);
  cache.PutResolved("other", "/etc/other");
  cache.Rename("/etc/a", "/etc/b");
  EXPECT_EQ(cache.Find("c"), nullptr) << "it is asked for again";
  EXPECT_EQ(cache.Find("cd"), nullptr);
  EXPECT_EQ(cache.Find("told")->path, "/etc/b/told");
  EXPECT_EQ(cache.Find("marked")->path, "/etc/b/marked");
  EXPECT_EQ(cache.Find("other")->path, "/etc/other");
  cache.PutResolved("b", "/etc/b/e");
  cache.Rename("/etc/x", "/etc/b");
  EXPECT_EQ(cache.Find("b"), nullptr);
}

TEST(FolderCache, AFolderThatIsToldOfAgainIsNotResolvedAnyMore) {
  FolderCache cache(Scope(), 10);
  cache.PutResolved("a", "/etc/a");
  cache.Put("a", "/etc/a", false);
  cache.Rename("/etc/a", "/etc/b");
  EXPECT_EQ(cache.Find("a")->path, "/etc/b");
}

TEST(FolderCache, WhatIsDeeperThanAPathCanSayHasNoneUntilSomethingMoves) {
  FolderCache cache(Scope(), 10);
  cache.Put("deep", "/etc/" + std::string(FolderCache::kMaxPathBytes, 'a'), false);
  ASSERT_NE(cache.Find("deep"), nullptr);
  EXPECT_EQ(cache.Find("deep")->path, "");
  EXPECT_EQ(cache.Find("deep")->names, WatchScope::Names::kAllOutside);
  cache.Rename("/etc/x", "/etc/y");
  EXPECT_EQ(cache.Find("deep"), nullptr);
  cache.PutResolved("deep", "");
  cache.ForgetThoseWithoutPath();
  EXPECT_EQ(cache.Find("deep"), nullptr);
}

TEST(EscapeToUtf8, IsValidAndReversible) {
  for (const std::string& bytes :
       {std::string("/plain"), std::string("/bad\xff\xfe"), std::string("/lit\\xff"),
        std::string("\\\\x41\\x4"), std::string("/ümlaut\\n"), std::string("\xc3")}) {
    EXPECT_EQ(UnescapeFromUtf8(EscapeToUtf8(bytes)), bytes);
  }
  EXPECT_EQ(EscapeToUtf8("/bad\xff"), "/bad\\xff");
  EXPECT_EQ(EscapeToUtf8("/C:\\dir"), "/C:\\dir");
}

}  // namespace
}  // namespace cordon::platform
