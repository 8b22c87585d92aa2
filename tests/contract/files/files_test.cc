// The contract of platform/api/files.h on the native implementation.

#include "platform/api/files.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "tests/contract/files/others.h"
#include "tests/support/native.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

using cordon::testing::OthersMayRead;
using cordon::testing::TempFolder;
namespace fs = std::filesystem;

auto FilesIn(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

TEST(Files, WhatIsWrittenIsReadBack) {
  const TempFolder folder;
  const std::string bytes("a\0b\r\n\x1a", 6);
  ASSERT_TRUE(WriteFileDurably(folder / "x", bytes, FileAccess::kOwnerOnly).ok());
  EXPECT_EQ(*ReadFileBounded(folder / "x", 100), bytes);
}

TEST(Files, ReplacingLeavesNothingBesideTheFile) {
  const TempFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "x", "old", FileAccess::kOwnerOnly).ok());
  ASSERT_TRUE(WriteFileDurably(folder / "x", "new", FileAccess::kOwnerOnly).ok());
  EXPECT_EQ(*ReadFileBounded(folder / "x", 100), "new");
  EXPECT_EQ(FilesIn(folder.Path()), 1);
}

TEST(Files, WhatAKilledWriterLeftIsSweptAndNothingElse) {
  const TempFolder folder;
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
  const auto make = [&](const std::string& name) {
    std::ofstream(folder / name) << "x";
    fs::last_write_time(folder / name, old);
  };
  const std::string left = cordon::testing::UnfinishedName("isolation.state");
  for (const std::string& name :
       {left, std::string("isolation.state"), std::string(".hidden"), std::string(".a.b")})
    make(name);
  fs::create_directory(folder / ".folder.abcdef");
  EXPECT_EQ(SweepUnfinishedFiles(folder.Path()), 1U);
  EXPECT_FALSE(fs::exists(folder / left));
  EXPECT_EQ(FilesIn(folder.Path()), 4);
  std::ofstream(folder / left) << "by a writer at work";
  EXPECT_EQ(SweepUnfinishedFiles(folder.Path()), 0U);
  EXPECT_EQ(SweepUnfinishedFiles(folder / "none"), 0U);
}

TEST(Files, AFailedWriteKeepsTheOldContentAndNamesTheFile) {
  const TempFolder folder;
  fs::create_directory(folder / "x");  // a folder stands where the file should go
  const absl::Status status = WriteFileDurably(folder / "x", "new", FileAccess::kOwnerOnly);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find((folder / "x").string()), std::string::npos) << status;
  EXPECT_TRUE(fs::is_directory(folder / "x"));
  EXPECT_EQ(FilesIn(folder.Path()), 1);
}

TEST(Files, OverwritingChangesAPartInPlace) {
  const TempFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "x", "0123456789", FileAccess::kOwnerOnly).ok());
  fs::create_hard_link(folder / "x", folder / "same");
  ASSERT_TRUE(Overwrite(folder / "x", 2, "ab", Flush::kNow).ok());
  ASSERT_TRUE(Overwrite(folder / "x", 9, "z", Flush::kLater).ok());
  EXPECT_EQ(*ReadFileBounded(folder / "same", 100), "01ab45678z");
}

TEST(Files, OverwritingMakesNoFileAndNoneLonger) {
  const TempFolder folder;
  EXPECT_TRUE(absl::IsNotFound(Overwrite(folder / "none", 0, "a", Flush::kNow)));
  ASSERT_TRUE(WriteFileDurably(folder / "x", "0123", FileAccess::kOwnerOnly).ok());
  EXPECT_TRUE(absl::IsOutOfRange(Overwrite(folder / "x", 3, "ab", Flush::kNow)));
  EXPECT_TRUE(absl::IsOutOfRange(Overwrite(folder / "x", UINT64_MAX, "ab", Flush::kNow)));
  EXPECT_EQ(*ReadFileBounded(folder / "x", 100), "0123");
  EXPECT_EQ(FilesIn(folder.Path()), 1);
}

TEST(Files, OwnerOnlyMeansNobodyElse) {
  CORDON_SKIP_UNDER_WINE("SetNamedSecurityInfo keeps no access control list, but a Unix mode");
  const TempFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "secret", "x", FileAccess::kOwnerOnly).ok());
  ASSERT_TRUE(WriteFileDurably(folder / "open", "x", FileAccess::kEveryoneReads).ok());
  EXPECT_FALSE(OthersMayRead(folder / "secret"));
  EXPECT_TRUE(OthersMayRead(folder / "open"));
}

TEST(Files, ReadingIsBounded) {
  const TempFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "x", std::string(100'000, 'x'), FileAccess::kOwnerOnly).ok());
  EXPECT_TRUE(ReadFileBounded(folder / "x", 100'000).ok());
  EXPECT_EQ(ReadFileBounded(folder / "x", 99'999).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ReadFileBounded(folder / "none", 9).status().code(), absl::StatusCode::kNotFound);
}

TEST(Files, APrivateFolderIsMadeWithItsParentsAndMadeAgain) {
  const TempFolder folder;
  ASSERT_TRUE(MakePrivateFolder(folder / "a/b").ok());
  EXPECT_TRUE(MakePrivateFolder(folder / "a/b").ok());
  EXPECT_TRUE(WriteFileDurably(folder / "a/b/x", "1", FileAccess::kOwnerOnly).ok());
}

TEST(Files, APrivateFolderIsClosedToOthers) {
  CORDON_SKIP_UNDER_WINE("SetNamedSecurityInfo keeps no access control list, but a Unix mode");
  const TempFolder folder;
  ASSERT_TRUE(MakePrivateFolder(folder / "a/b").ok());
  EXPECT_FALSE(OthersMayRead(folder / "a/b"));
}

TEST(Files, AFileOfTheFoldersOwnerTakesNoPlaceOfAnother) {
  CORDON_SKIP_UNLESS_ADMINISTRATOR("files of others are made by root");
  const TempFolder folder;
  ASSERT_TRUE(MakeFileOfFolderOwner(folder.Path(), "bait", "1").ok());
  EXPECT_EQ(*ReadFileBounded(folder / "bait", 9), "1");
  EXPECT_EQ(MakeFileOfFolderOwner(folder.Path(), "bait", "2").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(*ReadFileBounded(folder / "bait", 9), "1");
  EXPECT_EQ(MakeFileOfFolderOwner(folder / "none", "bait", "1").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(RemoveFileOfFolderOwner(folder.Path(), "bait"), absl::OkStatus());
  EXPECT_FALSE(fs::exists(folder / "bait"));
  EXPECT_EQ(RemoveFileOfFolderOwner(folder.Path(), "bait"), absl::OkStatus()) << "it is gone already";
  EXPECT_EQ(RemoveFileOfFolderOwner(folder / "none", "bait"), absl::OkStatus());
}

TEST(Files, SettingsOfTheCallersOwnMayBeReadAndMissingOnesAreNotFound) {
  const TempFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "own.toml", "", FileAccess::kEveryoneReads).ok());
  EXPECT_EQ(CheckSettingsFile(folder / "own.toml"), absl::OkStatus());
  EXPECT_EQ(CheckSettingsFile(folder / "none.toml").code(), absl::StatusCode::kNotFound);
}

TEST(Files, ALockIsHeldOnceAndFreedWithItsHandle) {
  const TempFolder folder;
  absl::StatusOr<std::unique_ptr<FileLock>> first = LockFile(folder / "lock");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(LockFile(folder / "lock").status().code(), absl::StatusCode::kAlreadyExists);
  first->reset();
  EXPECT_TRUE(LockFile(folder / "lock").ok());
}

}  // namespace
}  // namespace cordon::platform
