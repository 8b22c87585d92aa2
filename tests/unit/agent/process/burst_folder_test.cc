#include "agent/process/burst_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/strings.h"

namespace cordon::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int64_t kMilli = 1'000'000;
constexpr int64_t kSecond = 1'000 * kMilli;
const BurstGroup kMake{.cgroup = "/build", .parent_program = "/usr/bin/make"};
const BurstGroup kShell{.cgroup = "/build", .parent_program = "/bin/sh"};

// How many of `count` processes, evenly spread over `length`, may be folded.
int MayFold(BurstFolder& folder, const BurstGroup& group, int count, int64_t begin, int64_t length = kSecond,
            const std::string& program = "/usr/bin/cc1") {
  int folded = 0;
  for (int i = 0; i < count; ++i) {
    folded += folder.MayFold(group, program, begin + length * i / count) ? 1 : 0;
  }
  return folded;
}

TEST(BurstFolder, RatesOfOneSecond) {
  struct Case {
    const char* what;
    uint32_t limit;
    int first_second;
    int second_second;
    int64_t second_begins;
    int expected_first;
    int expected_second;
  };
  constexpr Case kCases[] = {
      {"never, by the settings", 0, 5000, 5000, kSecond, 0, 0},
      {"at the limit", 100, 100, 100, kSecond, 0, 0},
      {"the first ones of a burst are told", 100, 150, 150, kSecond, 50, 150},
      {"a burst ends with a second at the limit", 100, 150, 100, kSecond, 50, 100},
      {"a pause ends it", 100, 150, 100, 2 * kSecond, 50, 0},
      {"after a pause it begins anew", 100, 150, 150, 3 * kSecond, 50, 50},
  };
  for (const Case& one : kCases) {
    BurstFolder folder(one.limit);
    EXPECT_EQ(MayFold(folder, kMake, one.first_second, 0), one.expected_first) << one.what;
    EXPECT_EQ(MayFold(folder, kMake, one.second_second, one.second_begins), one.expected_second) << one.what;
  }
}

TEST(BurstFolder, ASlowSecondEndsABurst) {
  BurstFolder folder(100);
  EXPECT_EQ(MayFold(folder, kMake, 150, 0), 50);
  EXPECT_EQ(MayFold(folder, kMake, 10, kSecond), 10) << "the second before was fast";
  EXPECT_EQ(MayFold(folder, kMake, 10, 2 * kSecond), 0);
}

TEST(BurstFolder, GroupsAreCountedByThemselves) {
  BurstFolder folder(100);
  EXPECT_EQ(MayFold(folder, kMake, 100, 0), 0);
  EXPECT_EQ(MayFold(folder, kShell, 100, 0), 0);
  EXPECT_EQ(MayFold(folder, {.cgroup = "/other", .parent_program = "/usr/bin/make"}, 100, 0), 0);
}

TEST(BurstFolder, AProgramThatWasNeverSeenIsTold) {
  BurstFolder folder(100);
  MayFold(folder, kMake, 150, 0);
  EXPECT_FALSE(folder.MayFold(kMake, "/tmp/dropper", kSecond / 2));
  EXPECT_TRUE(folder.MayFold(kMake, "/tmp/dropper", kSecond / 2));
}

TEST(BurstFolder, ProgramsThatAreForgottenAreToldOnceMore) {
  BurstFolder folder(1);
  for (size_t i = 0; i < BurstFolder::kProgramsRemembered; ++i) {
    static_cast<void>(folder.MayFold(kMake, StrCat("/bin/p", i), 0));
  }
  EXPECT_FALSE(folder.MayFold(kMake, "/bin/p0", 1));
  EXPECT_TRUE(folder.MayFold(kMake, "/bin/p0", 2));
}

TEST(BurstFolder, GroupsOverTheBoundAreToldOneByOne) {
  BurstFolder folder(1);
  for (size_t i = 0; i < BurstFolder::kMostGroups; ++i) {
    EXPECT_EQ(MayFold(folder, {.cgroup = StrCat(i), .parent_program = ""}, 3, 0), 2);
  }
  EXPECT_EQ(MayFold(folder, kMake, 3, 0), 0) << "all groups are busy";
  EXPECT_EQ(MayFold(folder, kMake, 3, 5 * kSecond), 2) << "quiet ones have made room";
}

FoldedProcess Folded(const std::string& program, int64_t begin, bool failed = false,
                     const std::string& parent = "") {
  return {.program = program,
          .failed = failed,
          .cpu_nanos = 5,
          .begin_boottime_nanos = begin,
          .end_boottime_nanos = begin + kMilli,
          .parent_guid = parent};
}

TEST(BurstFolder, TEL1_TheSummaryCountsEveryOne) {
  BurstFolder folder(1);
  folder.Fold(kMake, Folded("/usr/bin/cc1", 20));
  folder.Fold(kMake, Folded("/usr/bin/as", 10, true, "parent-1"));
  folder.Fold(kMake, Folded("/usr/bin/cc1", 30, false, "parent-2"));
  folder.Fold(kMake, Folded("", 40, true, "parent-1"));
  folder.Fold(kShell, Folded("/bin/true", 50));
  const auto summaries = folder.TakeAll();
  ASSERT_THAT(summaries, SizeIs(2));
  const BurstSummary& make = summaries[1];
  EXPECT_EQ(make.cgroup, "/build");
  EXPECT_EQ(make.started, 3);
  EXPECT_EQ(make.forked, 1);
  EXPECT_EQ(make.failed, 2);
  EXPECT_EQ(make.cpu_nanos, 20);
  EXPECT_EQ(make.first_boottime_nanos, 10);
  EXPECT_EQ(make.last_boottime_nanos, 40 + kMilli);
  EXPECT_THAT(make.programs, ElementsAre(std::pair("/usr/bin/cc1", 2U), std::pair("/usr/bin/as", 1U)));
  EXPECT_THAT(make.parent_guids, ElementsAre("parent-1", "parent-2"));
  EXPECT_THAT(folder.TakeAll(), IsEmpty()) << "told once";
}

TEST(BurstFolder, AlsoOfMoreProgramsAndParentsThanItNames) {
  BurstFolder folder(1);
  for (int i = 0; i < 1'000; ++i) folder.Fold(kMake, Folded(StrCat("/bin/p", i), i, false, StrCat(i)));
  const auto summaries = folder.TakeAll();
  ASSERT_THAT(summaries, SizeIs(1));
  EXPECT_EQ(summaries[0].started, 1'000);
  EXPECT_THAT(summaries[0].programs, SizeIs(BurstFolder::kMostPrograms));
  EXPECT_THAT(summaries[0].parent_guids, SizeIs(BurstFolder::kMostParents));
}

TEST(BurstFolder, ASummaryIsDueAfterTenSeconds) {
  BurstFolder folder(1);
  EXPECT_EQ(folder.NextDue(), std::nullopt);
  folder.Fold(kMake, Folded("/bin/true", kSecond));
  EXPECT_EQ(folder.NextDue(), kSecond + BurstFolder::kSummaryNanos);
  EXPECT_THAT(folder.TakeDue(kSecond + BurstFolder::kSummaryNanos - 1), IsEmpty());
  EXPECT_THAT(folder.TakeDue(kSecond + BurstFolder::kSummaryNanos), SizeIs(1));
  EXPECT_EQ(folder.NextDue(), std::nullopt);
}

}  // namespace
}  // namespace cordon::agent
