// The contract of platform/api/append_file.h on the native implementation.

#include "platform/api/append_file.h"

#include <absl/cleanup/cleanup.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "platform/api/files.h"
#include "tests/support/native.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

using cordon::testing::TempFolder;

TEST(AppendLines, MakesTheFileAndAddsToItsEnd) {
  const TempFolder folder;
  ASSERT_TRUE(AppendLinesDurably(folder / "log", "one\n").ok());
  ASSERT_TRUE(AppendLinesDurably(folder / "log", "two\nthree\n").ok());
  EXPECT_EQ(*ReadFileBounded(folder / "log", 100), "one\ntwo\nthree\n");
}

TEST(AppendLines, ALineThatACrashLeftWithoutItsEndStandsByItself) {
  const TempFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "log", "one\nha", FileAccess::kOwnerOnly).ok());
  ASSERT_TRUE(AppendLinesDurably(folder / "log", "two\n").ok());
  EXPECT_EQ(*ReadFileBounded(folder / "log", 100), "one\nha\ntwo\n");
}

TEST(AppendLines, AfterAnErrorTheFileIsAsLongAsItWas) {
  CORDON_SKIP_UNLESS_ADMINISTRATOR("mounting a small disk needs it");
  const TempFolder folder;
  ASSERT_EQ(mount("cordon-test", folder.Path().c_str(), "tmpfs", 0, "size=64k"), 0);
  const absl::Cleanup unmount = [&] { umount2(folder.Path().c_str(), MNT_DETACH); };
  ASSERT_TRUE(AppendLinesDurably(folder / "log", "one\n").ok());
  std::string line(200'000, 'x');
  line += '\n';
  const absl::Status full = AppendLinesDurably(folder / "log", line);
  EXPECT_FALSE(full.ok());
  EXPECT_NE(full.message().find("log"), std::string_view::npos) << full;
  EXPECT_EQ(*ReadFileBounded(folder / "log", 100), "one\n");
  EXPECT_TRUE(AppendLinesDurably(folder / "log", "two\n").ok()) << "there is room for that";
  EXPECT_EQ(*ReadFileBounded(folder / "log", 100), "one\ntwo\n");
}

TEST(AppendLines, WhatIsNoFileIsWrittenToAndAFolderOrAMissingOneIsAnError) {
  const TempFolder folder;
  EXPECT_TRUE(AppendLinesDurably("/dev/null", "one\n").ok());
  EXPECT_FALSE(AppendLinesDurably("/dev/full", "one\n").ok());
  EXPECT_FALSE(AppendLinesDurably(folder.Path(), "one\n").ok());
  EXPECT_TRUE(absl::IsNotFound(AppendLinesDurably(folder / "none/log", "one\n")));
}

}  // namespace
}  // namespace cordon::platform
