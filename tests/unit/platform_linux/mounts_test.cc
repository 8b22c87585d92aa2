#include "platform/linux/programs/mounts.h"

#include <gtest/gtest.h>

#include "platform/api/program_marks.h"

namespace cordon::platform {
namespace {

constexpr const char* kMounts =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "29 22 0:25 / /sys/fs/cgroup rw,nosuid shared:4 master:2 - tmpfs tmpfs ro\n"
    "30 29 0:26 /slice /sys/fs/cgroup/part rw - cgroup2 cgroup2 rw\n"
    "31 29 0:27 / /sys/fs/c\\040group/unified rw shared:5 - cgroup2 cgroup2 rw\n"
    "35 22 0:41 /@home /home rw,relatime - btrfs /dev/sdb rw\n";

TEST(Mounts, TellTheDeviceOfAMountAsTheKernelNumbersIt) {
  EXPECT_EQ(DeviceOfMount(kMounts, 22), (8U << 20) | 1U);
  EXPECT_EQ(DeviceOfMount(kMounts, 35), 41U);
  EXPECT_EQ(DeviceOfMount(kMounts, 36), std::nullopt);
}

TEST(Mounts, FindTheRootOfTheUnifiedHierarchyAndNoPartOfIt) {
  EXPECT_EQ(UnifiedHierarchy(kMounts), "/sys/fs/c group/unified");
  EXPECT_EQ(UnifiedHierarchy("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"), "");
}

TEST(Mounts, TakeNothingFromLinesOfAnotherShape) {
  for (const char* text : {"", "\n", "22", "22 1 x / / rw - ext4 d rw", "22 1 8:y / / rw - ext4 d rw",
                           "22 1 81 / / rw - ext4 d rw", "x 1 8:1 / / rw - cgroup2", "22 1 8:1 / / rw rw"}) {
    EXPECT_EQ(DeviceOfMount(text, 22), std::nullopt) << text;
  }
  EXPECT_EQ(UnifiedHierarchy("22 1 8:1 / /x rw rw -"), "");
}

TEST(Mounts, ReadNumbersOfADescriptor) {
  constexpr const char* kInfo = "pos:\t0\nflags:\t0100000\nmnt_id:\t29\nino:\t1234567890123\n";
  EXPECT_EQ(FdInfoNumber(kInfo, "mnt_id"), 29U);
  EXPECT_EQ(FdInfoNumber(kInfo, "ino"), 1'234'567'890'123U);
  EXPECT_EQ(FdInfoNumber(kInfo, "in"), std::nullopt);
  EXPECT_EQ(FdInfoNumber(kInfo, "absent"), std::nullopt);
}

TEST(ProgramTags, ComeFromPathAndHashAloneAndKeepToTheirRange) {
  const uint32_t tag = ProgramTag("/usr/bin/pms", "");
  EXPECT_EQ(tag >> 24, 0x0dU);
  EXPECT_EQ(tag, ProgramTag("/usr/bin/pms", ""));
  EXPECT_NE(tag, ProgramTag("/usr/bin/pmt", ""));
  EXPECT_NE(tag, ProgramTag("/usr/bin/pms", std::string(32, 'h')));
  EXPECT_NE(ProgramTag("a", "b"), ProgramTag("ab", ""));
}

}  // namespace
}  // namespace cordon::platform
