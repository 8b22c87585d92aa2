// platform/api/files.h and file_tree.h on Windows' implementations.

#include "platform/api/files.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "common/base/hex.h"
#include "common/base/status.h"
#include "platform/api/file_tree.h"
#include "platform/windows/system/agent_folder.h"
#include "tests/wine/platform/wine.h"

namespace cordon::platform {
namespace {

namespace fs = std::filesystem;
using cordon::testing::WindowsFolder;

bool Always() {
  return true;
}

TEST(WindowsFiles, WhatIsWrittenIsReadBackAndReplacedWhole) {
  const WindowsFolder folder;
  const std::string bytes("a\0b\r\n\x1a", 6);
  ASSERT_TRUE(WriteFileDurably(folder / "x", "old", FileAccess::kOwnerOnly).ok());
  ASSERT_TRUE(WriteFileDurably(folder / "x", bytes, FileAccess::kOwnerOnly).ok());
  EXPECT_EQ(*ReadFileBounded(folder / "x", 100), bytes);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.Path()), fs::directory_iterator()), 1);
}

TEST(WindowsFiles, AFailedWriteKeepsTheOldContentAndNamesTheFile) {
  const WindowsFolder folder;
  fs::create_directory(folder / "x");
  const absl::Status status = WriteFileDurably(folder / "x", "new", FileAccess::kOwnerOnly);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(Message(status)).find((folder / "x").string()), std::string::npos);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.Path()), fs::directory_iterator()), 1);
}

TEST(WindowsFiles, ReadingIsBounded) {
  const WindowsFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "x", std::string(100'000, 'x'), FileAccess::kOwnerOnly).ok());
  EXPECT_TRUE(ReadFileBounded(folder / "x", 100'000).ok());
  EXPECT_EQ(ReadFileBounded(folder / "x", 99'999).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ReadFileBounded(folder / "none", 9).status().code(), absl::StatusCode::kNotFound);
}

TEST(WindowsFiles, APrivateFolderIsMadeWithItsParents) {
  const WindowsFolder folder;
  ASSERT_TRUE(MakePrivateFolder(folder.Path() / "a" / "b").ok());
  EXPECT_TRUE(MakePrivateFolder(folder.Path() / "a" / "b").ok());
  EXPECT_TRUE(WriteFileDurably(folder.Path() / "a" / "b" / "x", "1", FileAccess::kOwnerOnly).ok());
}

TEST(WindowsFiles, OwnerOnlyMeansNobodyElse) {
  CORDON_SKIP_UNDER_WINE("access control lists of its own: it maps them to Unix modes");
  const WindowsFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "secret", "x", FileAccess::kOwnerOnly).ok());
  EXPECT_EQ(
      testing::Run(L"cmd /c icacls \"" + (folder / "secret").native() + L"\" | findstr /c:Everyone /c:Users"),
      1);
}

TEST(WindowsFiles, AFileOfTheFoldersOwnerTakesNoPlaceOfAnother) {
  const WindowsFolder folder;
  ASSERT_TRUE(MakeFileOfFolderOwner(folder.Path(), "bait", "1").ok());
  EXPECT_EQ(*ReadFileBounded(folder / "bait", 9), "1");
  EXPECT_EQ(MakeFileOfFolderOwner(folder.Path(), "bait", "2").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(*ReadFileBounded(folder / "bait", 9), "1");
  EXPECT_EQ(MakeFileOfFolderOwner(folder / "none", "bait", "1").code(), absl::StatusCode::kNotFound);
}

TEST(WindowsFiles, TheAgentsFolderIsMadeAndMadeAgain) {
  if (!cordon::testing::UnderWine())
    GTEST_SKIP() << "it is the machine's own; scripts/windows-verify.ps1 looks at it";
  EXPECT_EQ(MakeAgentFolder(), absl::OkStatus());
  EXPECT_EQ(MakeAgentFolder(), absl::OkStatus());
  EXPECT_EQ(MakePrivateFolder(AgentFolder() / "State"), absl::OkStatus());
  EXPECT_EQ(CheckSettingsFile(AgentFolder() / "none.toml").code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(WriteFileDurably(AgentFolder() / "own.toml", "", FileAccess::kEveryoneReads).ok());
  EXPECT_EQ(CheckSettingsFile(AgentFolder() / "own.toml"), absl::OkStatus());
  EXPECT_EQ(RemoveFileOfFolderOwner(AgentFolder(), "own.toml"), absl::OkStatus());
  EXPECT_EQ(RemoveFileOfFolderOwner(AgentFolder(), "own.toml"), absl::OkStatus()) << "it is gone already";
}

TEST(WindowsFiles, ALockIsHeldOnceAndFreedWithItsHandle) {
  const WindowsFolder folder;
  absl::StatusOr<std::unique_ptr<FileLock>> first = LockFile(folder / "lock");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(LockFile(folder / "lock").status().code(), absl::StatusCode::kAlreadyExists);
  first->reset();
  EXPECT_TRUE(LockFile(folder / "lock").ok());
}

TEST(WindowsFileTree, HashesWhatIsThere) {
  const WindowsFolder folder;
  std::ofstream(folder / "x", std::ios::binary) << "abc";
  uint64_t counted = 0;
  const absl::StatusOr<HashedFile> file =
      HashFile(folder / "x", 1'000, Always, [&](uint64_t bytes) { counted += bytes; });
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(HexEncode(file->sha256), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(file->metadata.size, 3U);
  EXPECT_EQ(counted, 3U);
  EXPECT_EQ(file->metadata.type, FileType::kFile);
  EXPECT_NE(file->metadata.inode, 0U);
  EXPECT_GT(file->metadata.mtime_unix_nanos, 1'600'000'000LL * 1'000'000'000);
}

TEST(WindowsFileTree, RefusesWhatIsNoFileOrTooLongOrStopped) {
  const WindowsFolder folder;
  std::ofstream(folder / "x", std::ios::binary) << "abc";
  EXPECT_EQ(HashFile(folder / "x", 2, Always).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(HashFile(folder / "x", 9, [] { return false; }).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(HashFile(folder.Path(), 9, Always).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(HashFile(folder / "none", 9, Always).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadFileMetadata(folder / "none").status().code(), absl::StatusCode::kNotFound);
}

TEST(WindowsFileTree, ReadsTheHeadOfAFile) {
  const WindowsFolder folder;
  std::ofstream(folder / "x", std::ios::binary) << "abcdef";
  const absl::StatusOr<OpenFile> file = OpenForReading(folder / "x");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(*ReadFileHead(*file, 3), "abc");
  EXPECT_EQ(*ReadFileHead(*file, 100), "abcdef");
  EXPECT_EQ(OpenForReading(folder.Path()).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(WindowsFileTree, ListsAFolderOnceEach) {
  const WindowsFolder folder;
  fs::create_directory(folder / "sub");
  std::ofstream(folder / "a") << 1;
  std::ofstream(folder.Path() / L"\u00e4\u4e2d") << 2;
  std::set<std::string> names;
  ASSERT_TRUE(ReadFolder(folder.Path(), [&](const FolderEntry& entry) {
                EXPECT_TRUE(entry.status.ok());
                return names.insert(entry.name).second;
              }).ok());
  EXPECT_EQ(names, (std::set<std::string>{"a", "sub", "\u00e4\u4e2d"}));
  EXPECT_EQ(ReadFolder(folder / "a", [](const FolderEntry&) { return true; }).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadFolder(folder / "none", [](const FolderEntry&) { return true; }).code(),
            absl::StatusCode::kNotFound);
}

TEST(WindowsFileTree, PathsBeyondTheOldLimitWork) {
  const WindowsFolder folder;
  fs::path deep = folder.Path();
  for (int level = 0; level < 12; ++level) {
    deep /= std::string(40, 'd');
    ASSERT_TRUE(MakePrivateFolder(deep).ok());
  }
  ASSERT_GT(deep.native().size(), 400U);
  EXPECT_TRUE(WriteFileDurably(deep / "x", "deep", FileAccess::kOwnerOnly).ok());
  EXPECT_TRUE(HashFile(deep / "x", 9, Always).ok());
}

TEST(WindowsFileTree, NamesTheFileSystem) {
  const WindowsFolder folder;
  const absl::StatusOr<Filesystem> filesystem = ReadFilesystem(folder.Path());
  ASSERT_TRUE(filesystem.ok()) << filesystem.status();
  EXPECT_EQ(filesystem->kind, FilesystemKind::kLocal);
}

}  // namespace
}  // namespace cordon::platform
