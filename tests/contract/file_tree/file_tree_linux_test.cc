// platform/api/file_tree.h where Linux has more than the contract asks: extended attributes, links on the
// way, times.

#include <absl/cleanup/cleanup.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "common/crypto/digest.h"
#include "platform/api/file_tree.h"
#include "tests/support/lease.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

namespace fs = std::filesystem;
using cordon::testing::TempFolder;

bool KeepGoing() {
  return true;
}

class LinuxFileTree : public ::testing::Test {
 protected:
  LinuxFileTree() { std::ofstream(path_) << "content"; }

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

TEST_F(LinuxFileTree, AttributesHaveADigestThatChangesWithThem) {
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

// More than is asked for at first.
TEST_F(LinuxFileTree, LongAttributesAndManyOfThemAreAllInTheDigest) {
  const std::string value(1500, 'v');
  if (!Set("user.origin", value)) GTEST_SKIP() << "no long attributes on this file system";
  const FileAttributes first = Attributes();
  EXPECT_EQ(first.sha256.size(), 32U);
  ASSERT_TRUE(Set("user.origin", value.substr(1) + "w"));
  EXPECT_NE(Attributes().sha256, first.sha256) << "the last byte differs";
  ASSERT_EQ(removexattr(path_.c_str(), "user.origin"), 0);
  std::string before;
  for (const char number : {'1', '2', '3', '4'}) {
    const std::string name = "user." + std::string(200, 'n') + number;
    if (!Set(name.c_str(), "v")) GTEST_SKIP() << "no room for many attributes on this file system";
    const std::string after = Attributes().sha256;
    EXPECT_NE(after, before) << "with " << number;
    before = after;
  }
}

TEST_F(LinuxFileTree, CapabilitiesAreToldAsGetcapDoes) {
  const std::string cap_net_raw("\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  if (!Set("security.capability", cap_net_raw)) GTEST_SKIP() << "capabilities cannot be set here";
  EXPECT_EQ(Attributes().capabilities, "cap_net_raw=ep");
}

TEST_F(LinuxFileTree, AccessListsAreAttributes) {
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

TEST_F(LinuxFileTree, ALinkHasItsOwnAttributes) {
  fs::create_symlink("file", folder_ / "link");
  (void)Set("user.origin", "clinic");
  EXPECT_EQ(*ReadAttributes(fs::path(folder_ / "link")), FileAttributes());
}

TEST_F(LinuxFileTree, NoLinkOnTheWayIsFollowed) {
  fs::create_directories(folder_ / "real/inner");
  std::ofstream(folder_ / "real/file") << "content";
  fs::create_directory_symlink("real", folder_ / "link");
  for (const bool by_link : {false, true}) {
    const fs::path at = folder_ / (by_link ? "link" : "real");
    const std::pair<const char*, absl::Status> done[] = {
        {"metadata", ReadFileMetadata(at / "file").status()},
        {"open", OpenForReading(at / "file").status()},
        {"hash", HashFile(at / "file", 100, KeepGoing).status()},
        {"attributes", ReadAttributes(at / "file").status()},
        {"folder", ReadFolder(at / "inner", [](const FolderEntry&) { return true; })}};
    for (const auto& [what, status] : done) EXPECT_EQ(status.ok(), !by_link) << what << ": " << status;
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadFileMetadata(folder_ / "link/file").status()));
  const auto link = ReadFileMetadata(folder_ / "link");
  ASSERT_TRUE(link.ok()) << link.status();
  EXPECT_EQ(link->type, FileType::kSymlink);
  EXPECT_EQ(link->link_target, "real");
  EXPECT_TRUE(ReadAttributes(fs::path(folder_ / "link")).ok());
  EXPECT_TRUE(ReadAttributes(fs::path("/")).ok());
  EXPECT_EQ(ReadFileMetadata("/")->type, FileType::kDirectory);
}

TEST_F(LinuxFileTree, TimesThatNoCountOfNanosecondsHasAreTheNearestOne) {
  if (geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  ASSERT_EQ(mount("cordon-test", folder_.Path().c_str(), "tmpfs", 0, "size=1m"), 0);
  const absl::Cleanup unmount = [&] { umount2(folder_.Path().c_str(), MNT_DETACH); };
  std::ofstream(path_) << "content";
  for (const int64_t seconds : {int64_t{18'446'744'074}, -(int64_t{1} << 40), int64_t{1'000}}) {
    const timespec times[2] = {{.tv_sec = seconds, .tv_nsec = 0}, {.tv_sec = seconds, .tv_nsec = 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, path_.c_str(), times, 0), 0);
    struct stat info{};
    ASSERT_EQ(stat(path_.c_str(), &info), 0);
    ASSERT_EQ(info.st_mtim.tv_sec, seconds) << "this file system has no such times";
    const double nanos = static_cast<double>(ReadFileMetadata(path_)->mtime_unix_nanos);
    EXPECT_NEAR(nanos, std::clamp(static_cast<double>(seconds) * 1e9, -9.22e18, 9.22e18), 1e16) << seconds;
  }
}

TEST_F(LinuxFileTree, TellsWhatAFileHasOnDiskBesideItsHoles) {
  ASSERT_EQ(truncate(path_.c_str(), off_t{1} << 30), 0);
  const auto metadata = ReadFileMetadata(path_);
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  EXPECT_EQ(metadata->size, uint64_t{1} << 30);
  EXPECT_LT(metadata->stored_bytes, uint64_t{1} << 20);
}

// As in /proc: its size is 0 and it has content.
TEST_F(LinuxFileTree, AFileWhoseSizeIsNotToldIsReadAllTheSame) {
  const auto file = OpenForReading("/proc/version");
  ASSERT_TRUE(file.ok()) << file.status();
  std::ifstream same("/proc/version", std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(same)), std::istreambuf_iterator<char>());
  EXPECT_EQ(file->Metadata().size, 0U);
  EXPECT_EQ(HashOpenFile(*file, {}, KeepGoing)->sha256, Sha256(content));
}

TEST_F(LinuxFileTree, AFileThatALeaseKeepsShutIsToldAsSuchAndItsHolderIsAsked) {
  const cordon::testing::Lease lease(path_);
  if (!lease.Held()) GTEST_SKIP() << "no leases on this file system";
  EXPECT_FALSE(lease.IsAskedFor());
  EXPECT_TRUE(absl::IsAborted(OpenForReading(path_).status()));
  EXPECT_TRUE(lease.IsAskedFor());
  lease.LetGo();
  EXPECT_TRUE(OpenForReading(path_).ok());
}

TEST_F(LinuxFileTree, AFileSystemInMemoryIsToldAsSuch) {
  if (geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  ASSERT_EQ(mount("cordon-test", folder_.Path().c_str(), "tmpfs", 0, "size=1m"), 0);
  const absl::Cleanup unmount = [&] { umount2(folder_.Path().c_str(), MNT_DETACH); };
  EXPECT_TRUE(ReadFilesystem(folder_.Path())->in_memory);
  EXPECT_FALSE(ReadFilesystem("/proc")->in_memory);
}

TEST_F(LinuxFileTree, OnlyRegularFilesAreOpenedAndNoLinkIsFollowed) {
  fs::create_symlink("file", folder_ / "link");
  ASSERT_EQ(mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  for (const char* name : {"link", "fifo", "."}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(OpenForReading(folder_ / name).status())) << name;
  }
}

}  // namespace
}  // namespace cordon::platform
