// The contract of platform/api/files.h on the native implementation.

#include "platform/api/files.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

using cordon::testing::TempFolder;
namespace fs = std::filesystem;

constexpr fs::perms kOthers = fs::perms::group_all | fs::perms::others_all;

TEST(Files, WhatIsWrittenIsReadBack) {
  const TempFolder folder;
  const std::string bytes("a\0b\n", 4);
  ASSERT_TRUE(WriteFileDurably(folder / "x", bytes, FileAccess::kOwnerOnly).ok());
  EXPECT_EQ(*ReadFileBounded(folder / "x", 100), bytes);
}

TEST(Files, ReplacingLeavesNothingBesideTheFile) {
  const TempFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "x", "old", FileAccess::kOwnerOnly).ok());
  ASSERT_TRUE(WriteFileDurably(folder / "x", "new", FileAccess::kOwnerOnly).ok());
  EXPECT_EQ(*ReadFileBounded(folder / "x", 100), "new");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.Path()), fs::directory_iterator()), 1);
}

TEST(Files, AFailedWriteKeepsTheOldContentAndNamesTheFile) {
  const TempFolder folder;
  fs::create_directory(folder / "x");  // a folder stands where the file should go
  const absl::Status status = WriteFileDurably(folder / "x", "new", FileAccess::kOwnerOnly);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.ToString().find((folder / "x").string()), std::string::npos);
  EXPECT_TRUE(fs::is_directory(folder / "x"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.Path()), fs::directory_iterator()), 1);
}

TEST(Files, OwnerOnlyMeansNobodyElse) {
  const TempFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "secret", "x", FileAccess::kOwnerOnly).ok());
  ASSERT_TRUE(WriteFileDurably(folder / "open", "x", FileAccess::kEveryoneReads).ok());
  EXPECT_EQ(fs::status(folder / "secret").permissions() & kOthers, fs::perms::none);
  EXPECT_NE(fs::status(folder / "open").permissions() & fs::perms::others_read, fs::perms::none);
}

TEST(Files, ReadingIsBounded) {
  const TempFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "x", std::string(1000, 'x'), FileAccess::kOwnerOnly).ok());
  EXPECT_TRUE(ReadFileBounded(folder / "x", 1000).ok());
  EXPECT_EQ(ReadFileBounded(folder / "x", 999).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ReadFileBounded(folder / "none", 999).status().code(), absl::StatusCode::kNotFound);
}

TEST(Files, APrivateFolderIsMadeWithItsParentsAndClosedToOthers) {
  const TempFolder folder;
  ASSERT_TRUE(MakePrivateFolder(folder / "a/b").ok());
  EXPECT_EQ(fs::status(folder / "a/b").permissions() & kOthers, fs::perms::none);
  EXPECT_TRUE(MakePrivateFolder(folder / "a/b").ok());
}

TEST(Files, ALockIsHeldOnceAndFreedWithItsHandle) {
  const TempFolder folder;
  absl::StatusOr<std::unique_ptr<FileLock>> first = LockFile(folder / "lock");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(LockFile(folder / "lock").status().code(), absl::StatusCode::kAlreadyExists);
  first->reset();
  EXPECT_TRUE(LockFile(folder / "lock").ok());
}

}  // namespace
}  // namespace cordon::platform
