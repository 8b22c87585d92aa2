#include "platform/linux/processes/proc_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string_view>

namespace cordon::platform {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::string_view_literals;

TEST(ProcFiles, SplitsArguments) {
  EXPECT_THAT(SplitArguments("a\0b c\0\0d\0"sv), ElementsAre("a", "b c", "", "d"));
  EXPECT_THAT(SplitArguments("a\0cut"sv), ElementsAre("a", "cut"));
  EXPECT_THAT(SplitArguments(""sv), IsEmpty());
}

TEST(ProcFiles, ReadsStatBehindAnyName) {
  const auto stat =
      ParseProcStat("12 (a) S 9 (b) R) S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 99 1");
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->parent_pid, 7);
  EXPECT_EQ(stat->flags, 4194560);
  EXPECT_EQ(stat->start_ticks, 12345);
  EXPECT_FALSE(ParseProcStat("").has_value());
  EXPECT_FALSE(ParseProcStat("12 (a) S 7 1").has_value());
  EXPECT_FALSE(ParseProcStat("12 (a) S x 1 1 0 -1 1 1 2 3 4 5 6 7 8 20 0 1 0 12345").has_value());
}

TEST(ProcFiles, ReadsRealIds) {
  const auto ids = ParseProcStatus("Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t100\t0\t0\t0\n");
  ASSERT_TRUE(ids.has_value());
  EXPECT_EQ(ids->uid, 1000);
  EXPECT_EQ(ids->gid, 100);
  EXPECT_FALSE(ParseProcStatus("Name:\tx\n").has_value());
}

TEST(ProcFiles, ChoosesTheCgroupPathThatSaysMost) {
  EXPECT_EQ(ParseProcCgroup("0::/system.slice/a.service\n"), "/system.slice/a.service");
  EXPECT_EQ(ParseProcCgroup("8:pids:/p\n4:memory:/docker/x\n0::/\n"), "/docker/x");
  EXPECT_EQ(ParseProcCgroup("8:pids:/p\n4:memory:/\n0::/\n"), "/p");
  EXPECT_EQ(ParseProcCgroup("0::/a:b\n"), "/a:b");
  EXPECT_EQ(ParseProcCgroup("nonsense"), "/");
}

TEST(ProcFiles, ReadsThisProcess) {
  const auto self = ReadProcProcess(static_cast<uint32_t>(getpid()));
  ASSERT_TRUE(self.has_value());
  EXPECT_EQ(self->parent.pid, static_cast<uint32_t>(getppid()));
  EXPECT_TRUE(self->executable.ends_with("platform_processes_test")) << self->executable;
  EXPECT_FALSE(self->argv.empty());
  EXPECT_EQ(self->uid, getuid());
  EXPECT_GT(self->process.start_boottime_nanos, 0);
}

TEST(ProcFiles, KnowsNothingOfAProcessThatIsGone) {
  EXPECT_FALSE(ReadProcProcess(0x7ffffff0).has_value());
  EXPECT_FALSE(ReadProcArguments(0x7ffffff0).has_value());
}

}  // namespace
}  // namespace cordon::platform
