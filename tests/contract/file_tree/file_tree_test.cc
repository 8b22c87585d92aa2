// The contract of platform/api/file_tree.h on the native implementation.

#include "platform/api/file_tree.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "common/crypto/digest.h"
#include "platform/api/file_names.h"
#include "tests/support/native.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

namespace fs = std::filesystem;
using cordon::testing::TempFolder;

bool KeepGoing() {
  return true;
}

class FileTree : public ::testing::Test {
 protected:
  FileTree() { Write(path_, "content"); }
  static void Write(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }

  TempFolder folder_;
  const fs::path path_ = folder_ / "file";
};

TEST_F(FileTree, MetadataIsTheFilesOwn) {
  const auto file = ReadFileMetadata(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->type, FileType::kFile);
  EXPECT_EQ(file->size, 7U);
  EXPECT_NE(file->inode, 0U);
  EXPECT_GT(file->mtime_unix_nanos, 1'600'000'000LL * 1'000'000'000);
  EXPECT_EQ(ReadFileMetadata(folder_.Path())->type, FileType::kDirectory);
  EXPECT_TRUE(absl::IsNotFound(ReadFileMetadata(folder_ / "none").status()));
  EXPECT_TRUE(absl::IsNotFound(ReadFileMetadata(folder_ / "none/file").status()));
}

TEST_F(FileTree, HardLinksAreCountedAndAreOneFile) {
  EXPECT_EQ(ReadFileMetadata(path_)->links, 1U);
  fs::create_hard_link(path_, folder_ / "second");
  EXPECT_EQ(ReadFileMetadata(path_)->links, 2U);
  EXPECT_EQ(ReadFileMetadata(path_)->inode, ReadFileMetadata(folder_ / "second")->inode);
}

TEST_F(FileTree, AttributesAreTheSameByPathAndByFileAndFromReadToRead) {
  const auto by_path = ReadAttributes(path_);
  ASSERT_TRUE(by_path.ok()) << by_path.status();
  const auto file = OpenForReading(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto by_file = ReadAttributes(*file);
  ASSERT_TRUE(by_file.ok()) << by_file.status();
  EXPECT_EQ(*by_path, *by_file);
  Write(path_, "other content");
  EXPECT_EQ(*ReadAttributes(path_), *by_path) << "content is no attribute";
  EXPECT_TRUE(absl::IsNotFound(ReadAttributes(folder_ / "none").status()));
}

TEST_F(FileTree, DigestsAreOfTheOpenFileWhateverItsNameMeansNow) {
  const auto file = OpenForReading(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  fs::rename(path_, folder_ / "moved");  // who reads a file keeps nobody from moving it
  Write(path_, "another");
  for (int i = 0; i < 2; ++i) {  // from the beginning, each time
    const auto digests = HashOpenFile(*file, {.md5 = true}, KeepGoing);
    ASSERT_TRUE(digests.ok()) << digests.status();
    EXPECT_EQ(digests->sha256, Sha256("content"));
    EXPECT_EQ(digests->md5.size(), 16U);
  }
  EXPECT_TRUE(HashOpenFile(*file, {}, KeepGoing)->md5.empty());
  EXPECT_TRUE(absl::IsCancelled(HashOpenFile(*file, {}, [] { return false; }).status()));
  EXPECT_TRUE(absl::IsOutOfRange(HashOpenFile(*file, {.max_bytes = 6}, KeepGoing).status()));
}

TEST_F(FileTree, WhatWasReadOfAFileInVainIsInNoOtherDigest) {
  Write(path_, std::string(600'000, 'x'));
  const auto file = OpenForReading(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  int asked = 0;
  EXPECT_TRUE(absl::IsCancelled(HashOpenFile(*file, {}, [&] { return ++asked < 2; }).status()));
  EXPECT_EQ(asked, 2) << "one piece was read before";
  Write(folder_ / "next", "content");
  EXPECT_EQ(HashFile(folder_ / "next", 100, KeepGoing)->sha256, Sha256("content"));
}

TEST_F(FileTree, AFileThatIsReadCanBeRemoved) {
  const auto file = OpenForReading(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(fs::remove(path_));
  EXPECT_EQ(HashOpenFile(*file, {}, KeepGoing)->sha256, Sha256("content"));
}

TEST_F(FileTree, AFileThatGrowsIsReadUpToTheSizeThatItHadWhenItWasOpened) {
  const std::string begin(600'000, 'x');
  Write(path_, begin);
  const auto file = OpenForReading(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  std::ofstream appending(path_, std::ios::binary | std::ios::app);
  int asked = 0;
  const auto append = [&] {  // before each piece, so that it would never end
    appending << std::string(300'000, 'y') << std::flush;
    return ++asked < 20;
  };
  const auto digests = HashOpenFile(*file, {}, append);
  ASSERT_TRUE(digests.ok()) << digests.status();
  EXPECT_EQ(digests->sha256, Sha256(begin));
  EXPECT_EQ(file->Metadata().size, begin.size());
}

TEST_F(FileTree, HashesWhatIsThereAndCountsIt) {
  const std::string large(600'000, 'x');  // more than two pieces
  Write(path_, large);
  uint64_t counted = 0;
  int pieces = 0;
  const auto file = HashFile(path_, 1'000'000, KeepGoing, [&](uint64_t bytes) {
    counted += bytes;
    ++pieces;
  });
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->sha256, Sha256(large));
  EXPECT_EQ(file->metadata.size, large.size());
  EXPECT_EQ(file->metadata.inode, ReadFileMetadata(path_)->inode);
  EXPECT_EQ(counted, large.size());
  EXPECT_GE(pieces, 3);
}

TEST_F(FileTree, RefusesWhatIsNoFileOrTooLongOrStopped) {
  EXPECT_TRUE(absl::IsOutOfRange(HashFile(path_, 6, KeepGoing).status()));
  EXPECT_TRUE(absl::IsCancelled(HashFile(path_, 9, [] { return false; }).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(HashFile(folder_.Path(), 9, KeepGoing).status()));
  EXPECT_TRUE(absl::IsNotFound(HashFile(folder_ / "none", 9, KeepGoing).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenForReading(folder_.Path()).status()));
  EXPECT_TRUE(absl::IsNotFound(OpenForReading(folder_ / "none").status()));
}

TEST_F(FileTree, ReadsTheHeadOfAFile) {
  const auto file = OpenForReading(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(*ReadFileHead(*file, 3), "con");
  EXPECT_EQ(*ReadFileHead(*file, 100), "content");
}

TEST_F(FileTree, ListsAFolderOnceEachUntilItIsToldToStop) {
  const std::string foreign = "\u00e4\u4e2d\U0001f600";
  fs::create_directory(folder_ / "sub");
  Write(folder_.Path() / PathOfBytes(foreign), "1");
  std::multiset<std::string> names;
  ASSERT_TRUE(ReadFolder(folder_.Path(), [&](const FolderEntry& entry) {
                EXPECT_TRUE(entry.status.ok()) << entry.status;
                EXPECT_EQ(entry.metadata.type, entry.name == "sub" ? FileType::kDirectory : FileType::kFile);
                names.insert(entry.name);
                return true;
              }).ok());
  EXPECT_EQ(names, (std::multiset<std::string>{"file", "sub", foreign}));
  int visited = 0;
  ASSERT_TRUE(ReadFolder(folder_.Path(), [&](const FolderEntry&) { return ++visited < 2; }).ok());
  EXPECT_EQ(visited, 2);
  EXPECT_TRUE(ReadFolder(folder_ / "sub", [](const FolderEntry&) {
                ADD_FAILURE() << "an empty folder has no entry";
                return true;
              }).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadFolder(path_, [](const FolderEntry&) { return true; })));
  EXPECT_TRUE(absl::IsNotFound(ReadFolder(folder_ / "none", [](const FolderEntry&) { return true; })));
}

TEST_F(FileTree, NamesTheFileSystem) {
  const auto filesystem = ReadFilesystem(folder_.Path());
  ASSERT_TRUE(filesystem.ok()) << filesystem.status();
  EXPECT_EQ(filesystem->kind, FilesystemKind::kLocal);
  EXPECT_FALSE(filesystem->name.empty());
}

}  // namespace
}  // namespace cordon::platform
