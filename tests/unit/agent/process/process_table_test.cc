#include "agent/process/process_table.h"

#include <gtest/gtest.h>

namespace cordon::agent {
namespace {

platform::ProcessKey Key(uint32_t pid, int64_t start) {
  return {.pid = pid, .start_boottime_nanos = start};
}

// 0 = nobody.
int64_t StartOfWhoHad(ProcessTable& table, uint32_t pid, int64_t moment) {
  const TrackedProcess* const process = table.At(pid, moment);
  return process != nullptr ? process->key.start_boottime_nanos : 0;
}

TEST(ProcessTable, KnowsWhoHadAPidAtAMoment) {
  ProcessTable table;
  EXPECT_EQ(table.At(7, 1'000), nullptr);
  for (const int64_t start : {200, 400, 300}) table.Add(Key(7, start));  // told out of order
  table.Add(Key(8, 250));
  EXPECT_EQ(StartOfWhoHad(table, 7, 199), 0);
  EXPECT_EQ(StartOfWhoHad(table, 7, 200), 200);
  EXPECT_EQ(StartOfWhoHad(table, 7, 299), 200);
  EXPECT_EQ(StartOfWhoHad(table, 7, 300), 300);
  EXPECT_EQ(StartOfWhoHad(table, 7, INT64_MAX), 400);
  EXPECT_EQ(StartOfWhoHad(table, 8, 1'000), 250);
}

TEST(ProcessTable, GetsTheOneThatIsAskedForAndNoOther) {
  ProcessTable table;
  TrackedProcess* const older = &table.Add(Key(7, 200));
  TrackedProcess* const younger = &table.Add(Key(7, 400));
  EXPECT_EQ(table.Get(Key(7, 200)), older);
  EXPECT_EQ(table.Get(Key(7, 400)), younger);
  EXPECT_EQ(table.Get(Key(7, 300)), nullptr);
  EXPECT_EQ(table.Get(Key(8, 200)), nullptr);
}

TEST(ProcessTable, EndsTheOneWhosePidIsBornAnew) {
  ProcessTable table;
  const TrackedProcess& older = table.Add(Key(7, 200));
  const TrackedProcess& younger = table.Add(Key(7, 400));
  EXPECT_EQ(older.end_boottime_nanos, 400);
  EXPECT_EQ(younger.end_boottime_nanos, 0);
}

TEST(ProcessTable, ForgetsTheEndedOneAndKeepsTheOthersOfItsPid) {
  ProcessTable table;
  table.End(table.Add(Key(7, 200)), 300);
  TrackedProcess* const running = &table.Add(Key(7, 400));
  table.End(table.Add(Key(8, 500)), 300 + ProcessTable::kEndedKeptNanos + 1);
  EXPECT_EQ(table.Get(Key(7, 200)), nullptr);
  EXPECT_EQ(table.Get(Key(7, 400)), running);
  EXPECT_EQ(StartOfWhoHad(table, 7, 399), 0);
}

TEST(ProcessTable, ForgetsTheOldestWhenTooManyHaveEnded) {
  ProcessTable table;
  for (uint32_t pid = 1; pid <= ProcessTable::kEndedKept + 1; ++pid) table.End(table.Add(Key(pid, 5)), 10);
  EXPECT_EQ(table.At(1, INT64_MAX), nullptr);
  EXPECT_NE(table.At(2, INT64_MAX), nullptr);
  EXPECT_NE(table.At(static_cast<uint32_t>(ProcessTable::kEndedKept + 1), INT64_MAX), nullptr);
}

}  // namespace
}  // namespace cordon::agent
