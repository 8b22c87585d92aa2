#include "platform/linux/files/mount_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cordon::platform {
namespace {

// As on a machine that was booted with an initramfs: "/" comes behind what stands on it.
constexpr std::string_view kTable = R"(22 27 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw
23 27 0:21 / /proc rw,nosuid shared:12 - proc proc rw
27 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw,errors=remount-ro
40 27 8:3 / /home rw shared:2 master:3 - xfs /dev/sda3 rw
50 40 0:50 / /home/ann rw,relatime - nfs4 server:/ann rw,hard
51 40 0:51 / /home/My\040Files rw - fuse.sshfs server: rw
52 50 0:52 / /home/ann/stick rw - vfat /dev/sdb1 rw
60 27 0:60 / /net rw - autofs /etc/auto.net rw,indirect
61 60 0:61 / /net/here rw - ext4 /dev/sdc1 rw
62 27 0:62 / /far rw - autofs systemd-1 rw,fd=29,direct,pipe_ino=1
70 27 0:70 / /srv rw - nfs server:/srv rw
71 70 8:4 / /srv rw - ext4 /dev/sdd1 rw
80 27 8:5 / /mnt/a/b rw - ext4 /dev/sde1 rw
81 27 0:81 / /mnt/a rw - cifs //server/a rw
no mount
99 27 0:99 / /broken rw
)";

const MountTable& Table() {
  static const MountTable table = ParseMountInfo(kTable);
  return table;
}

TEST(MountTable, TellsWhatAPathLiesOn) {
  EXPECT_EQ(Table().At("/etc/passwd").name, "ext4");
  EXPECT_EQ(Table().At("/").name, "ext4");
  EXPECT_EQ(Table().At("/proc/1").kind, FilesystemKind::kKernel);
  EXPECT_EQ(Table().At("/home/ben").name, "xfs");
  EXPECT_EQ(Table().At("/home/annex").name, "xfs");
  EXPECT_EQ(Table().At("/home/ann/Documents").kind, FilesystemKind::kNetwork);
  EXPECT_EQ(Table().At("/home/ann").name, "nfs4");
  EXPECT_EQ(Table().At("/home/My Files/a").name, "fuse.sshfs");
  EXPECT_EQ(Table().At("/broken").name, "ext4");
}

TEST(MountTable, TheOneOnTopCountsAndAnOuterOneHidesAnInnerOne) {
  EXPECT_EQ(Table().At("/srv/a").name, "ext4");
  EXPECT_EQ(Table().At("/mnt/a/b/c").name, "cifs");
}

TEST(MountTable, WhatLeadsOverANetworkMayNotAnswer) {
  for (const char* path : {"/home/ann", "/home/ann/Documents", "/home/ann/stick", "/home/My Files",
                           "/mnt/a/b", "/net/other", "/far"}) {
    EXPECT_TRUE(Table().MayNotAnswer(path)) << path;
  }
  for (const char* path : {"/", "/home", "/home/ben", "/net", "/net/here/a", "/proc", "/srv/a"}) {
    EXPECT_FALSE(Table().MayNotAnswer(path)) << path;
  }
}

TEST(MountTable, ListsWhatCanBeSeenBelow) {
  const auto names = [](const char* folder) {
    std::vector<std::string> below;
    for (const auto& path : Table().Below(folder)) below.push_back(path.string());
    return below;
  };
  EXPECT_EQ(names("/home"), (std::vector<std::string>{"/home/ann", "/home/My Files", "/home/ann/stick"}));
  EXPECT_EQ(names("/mnt"), std::vector<std::string>{"/mnt/a"});
  EXPECT_TRUE(names("/etc").empty());
}

TEST(MountTable, OfThisMachineHasItsRoot) {
  EXPECT_NE(MountTable::Now().At("/").name, "");
  EXPECT_EQ(MountTable::Now().At("/proc/self").name, "proc");
}

TEST(MountTable, AnEmptyOneTakesAllForLocal) {
  EXPECT_EQ(MountTable().At("/a").kind, FilesystemKind::kLocal);
  EXPECT_FALSE(MountTable().MayNotAnswer("/a"));
}

}  // namespace
}  // namespace cordon::platform
