// The contract of platform/api/file_tree.h on the native implementation: what is beside content.

#include "platform/api/file_tree.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>

#include "common/crypto/digest.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

namespace fs = std::filesystem;
using cordon::testing::TempFolder;

bool KeepGoing() {
  return true;
}

class FileTreeTest : public ::testing::Test {
 protected:
  FileTreeTest() { std::ofstream(path_) << "content"; }

  FileAttributes Attributes() const {
    const auto by_path = ReadAttributes(path_);
    const auto file = OpenForReading(path_);
    EXPECT_TRUE(file.ok()) << file.status();
    const auto by_file = ReadAttributes(*file);
    EXPECT_TRUE(by_path.ok()) << by_path.status();
    EXPECT_EQ(*by_path, *by_file);
    return *by_path;
  }
  bool Set(const char* name, const std::string& value) const {
    return setxattr(path_.c_str(), name, value.data(), value.size(), 0) == 0;
  }

  TempFolder folder_;
  const fs::path path_ = folder_ / "file";
};

TEST_F(FileTreeTest, AttributesHaveADigestThatChangesWithThem) {
  EXPECT_EQ(Attributes(), FileAttributes());
  if (!Set("user.origin", "clinic")) GTEST_SKIP() << "no extended attributes on this file system";
  const FileAttributes first = Attributes();
  EXPECT_EQ(first.sha256.size(), 32U);
  EXPECT_EQ(first.capabilities, "");
  ASSERT_TRUE(Set("user.origin", "clinic2"));
  EXPECT_NE(Attributes().sha256, first.sha256);
  ASSERT_TRUE(Set("user.origin", "clinic"));
  EXPECT_EQ(Attributes(), first);
  ASSERT_EQ(removexattr(path_.c_str(), "user.origin"), 0);
  EXPECT_EQ(Attributes(), FileAttributes());
}

TEST_F(FileTreeTest, CapabilitiesAreToldAsGetcapDoes) {
  const std::string cap_net_raw("\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  if (!Set("security.capability", cap_net_raw)) GTEST_SKIP() << "capabilities cannot be set here";
  EXPECT_EQ(Attributes().capabilities, "cap_net_raw=ep");
}

TEST_F(FileTreeTest, AccessListsAreAttributes) {
  // Version 2; user::rw-, user 1000:rwx, group::r--, mask::rwx, other::---
  const std::string list(
      "\x02\0\0\0"
      "\x01\0\x06\0\xff\xff\xff\xff"
      "\x02\0\x07\0\xe8\x03\0\0"
      "\x04\0\x04\0\xff\xff\xff\xff"
      "\x10\0\x07\0\xff\xff\xff\xff"
      "\x20\0\0\0\xff\xff\xff\xff",
      44);
  if (!Set("system.posix_acl_access", list)) GTEST_SKIP() << "no access lists on this file system";
  EXPECT_EQ(Attributes().sha256.size(), 32U);
}

TEST_F(FileTreeTest, HardLinksAreCountedAndALinkHasItsOwnAttributes) {
  EXPECT_EQ(ReadFileMetadata(path_)->links, 1U);
  fs::create_hard_link(path_, folder_ / "second");
  EXPECT_EQ(ReadFileMetadata(path_)->links, 2U);
  fs::create_symlink("file", folder_ / "link");
  (void)Set("user.origin", "clinic");
  EXPECT_EQ(*ReadAttributes(fs::path(folder_ / "link")), FileAttributes());
}

TEST_F(FileTreeTest, DigestsAreOfTheOpenFileWhateverItsNameMeansNow) {
  const auto file = OpenForReading(path_);
  ASSERT_TRUE(file.ok());
  fs::remove(path_);
  std::ofstream(path_) << "another";
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

TEST_F(FileTreeTest, OnlyRegularFilesAreOpenedAndNoLinkIsFollowed) {
  fs::create_symlink("file", folder_ / "link");
  ASSERT_EQ(mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  for (const char* name : {"link", "fifo", "."}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(OpenForReading(folder_ / name).status())) << name;
  }
  EXPECT_TRUE(absl::IsNotFound(OpenForReading(folder_ / "none").status()));
}

}  // namespace
}  // namespace cordon::platform
