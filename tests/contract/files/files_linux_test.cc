// What of platform/api/files.h has a meaning on Linux alone.

#include <absl/cleanup/cleanup.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "platform/api/files.h"
#include "tests/support/native.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

using cordon::testing::TempFolder;

// As a file system that an error has made read-only: who held a lock before still does.
TEST(FilesOnLinux, ALockIsSeenAndHeldWhereFilesCanOnlyBeRead) {
  CORDON_SKIP_UNLESS_ADMINISTRATOR("mounting needs it");
  const TempFolder disk;
  const TempFolder read_only;
  ASSERT_EQ(mount(disk.Path().c_str(), read_only.Path().c_str(), nullptr, MS_BIND, nullptr), 0);
  const absl::Cleanup unmount = [&] { umount2(read_only.Path().c_str(), MNT_DETACH); };
  ASSERT_EQ(mount(nullptr, read_only.Path().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);

  absl::StatusOr<std::unique_ptr<FileLock>> held = LockFile(disk / "lock");
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(LockFile(read_only / "lock").status().code(), absl::StatusCode::kAlreadyExists);
  held->reset();
  held = LockFile(read_only / "lock");
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(LockFile(disk / "lock").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(LockFile(read_only / "none").ok());
}

}  // namespace
}  // namespace cordon::platform
