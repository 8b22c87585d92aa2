// TEL-4: the spool is bounded in bytes and age; under pressure the least important class goes first, every
// loss is told, and isolation and order events never go.

#include <gtest/gtest.h>

#include <array>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "agent/app/config.h"
#include "tests/support/busy_host.h"
#include "tests/support/soak.h"
#include "tests/support/spool_box.h"
#include "tests/support/store_box.h"

namespace cordon {
namespace {

using testing::BulkyEvent;
using testing::Group;
using testing::Must;
using testing::SpoolBox;
using testing::StoreBox;

constexpr int64_t kHour = 3'600 * kNanosPerSecond;
constexpr size_t kEventBytes = 4'000;
constexpr std::array kClasses = {v1::EVENT_CLASS_PROCESS, v1::EVENT_CLASS_FILE, v1::EVENT_CLASS_FINDING,
                                 v1::EVENT_CLASS_CONTROL};

void Append(SpoolBox& spool, v1::EventClass event_class, uint32_t pid) {
  Must(spool->Append({Group(event_class, {BulkyEvent(pid, kEventBytes)})}));
}

// Batches of each class that still have their payload.
std::map<v1::EventClass, int> Kept(SpoolBox& spool) {
  std::map<v1::EventClass, int> kept;
  for (const v1::Batch& batch : spool.All()) {
    if (batch.dropped() == v1::Gap::CAUSE_UNSPECIFIED) ++kept[batch.event_class()];
  }
  return kept;
}

std::vector<v1::Batch> Dropped(SpoolBox& spool) {
  std::vector<v1::Batch> dropped;
  for (const v1::Batch& batch : spool.All()) {
    if (batch.dropped() != v1::Gap::CAUSE_UNSPECIFIED) dropped.push_back(batch);
  }
  return dropped;
}

TEST(SpoolLimits, TEL4_BelowThemNothingGoes) {  // the positive control of those below
  SpoolBox spool(400'000);
  for (const v1::EventClass event_class : kClasses) {
    for (uint32_t pid = 1; pid <= 10; ++pid) Append(spool, event_class, pid);
  }
  EXPECT_TRUE(Dropped(spool).empty());
  EXPECT_EQ(spool->Stats().dropped_events, 0U);
}

TEST(SpoolLimits, TEL4_ThreeDaysOfABusyHostFitIntoTheDefaultBound) {
  constexpr int64_t kRounds = 3 * 24 * 3'600 / 5;  // a batch every five seconds: see BatcherSettings
  const int part = testing::StormCount(24, 1);     // usually three hours of the three days
  const uint64_t bound = agent::AgentConfig().spool_max_bytes;
  SpoolBox spool(bound);
  std::mt19937 random(7);
  for (int64_t round = 0; round < kRounds / part; ++round) {
    Must(spool->Append(testing::FiveBusySeconds(random, spool.Time().WallNanos())));
    spool.Time().Advance(5 * kNanosPerSecond);
  }
  const agent::SpoolStats stats = spool->Stats();
  EXPECT_EQ(stats.dropped_events, 0U);
  EXPECT_LT(stats.bytes * static_cast<uint64_t>(part), bound * 4 / 5);
  std::cout << "  " << stats.events << " events in " << stats.bytes << " bytes, "
            << stats.bytes / stats.events << " each; three days take "
            << 100 * stats.bytes * static_cast<uint64_t>(part) / bound << " % of the bound\n";
}

TEST(SpoolLimits, TEL4_TheBytesStayBelowThemAtEveryMoment) {
  constexpr uint64_t kLimit = 100'000;
  SpoolBox spool(kLimit);
  for (uint32_t pid = 1; pid <= 100; ++pid) {
    Append(spool, kClasses[pid % 3], pid);  // any class but CONTROL
    ASSERT_LE(spool->Stats().bytes, kLimit) << pid;
  }
  EXPECT_GT(spool->Stats().dropped_events, 0U);
  EXPECT_GT(spool->Stats().events, 10U);  // it is used, not emptied
}

// Ten batches of each class, most important first, and then pressure: whatever comes goes by importance.
TEST(SpoolLimits, TEL4_TheLeastImportantClassGoesFirst) {
  SpoolBox spool(200'000);
  for (auto event_class = kClasses.rbegin(); event_class != kClasses.rend(); ++event_class) {
    for (uint32_t pid = 1; pid <= 10; ++pid) Append(spool, *event_class, pid);
  }
  std::map<v1::EventClass, int> before = Kept(spool);
  ASSERT_EQ(before[v1::EVENT_CLASS_PROCESS], 10);
  for (uint32_t pid = 11; pid <= 70; ++pid) {
    Append(spool, v1::EVENT_CLASS_CONTROL, pid);
    std::map<v1::EventClass, int> now = Kept(spool);
    // A class loses only when every class below it has nothing left.
    EXPECT_TRUE(now[v1::EVENT_CLASS_FILE] == 10 || now[v1::EVENT_CLASS_PROCESS] == 0) << pid;
    EXPECT_TRUE(now[v1::EVENT_CLASS_FINDING] == 10 || now[v1::EVENT_CLASS_FILE] == 0) << pid;
    ASSERT_EQ(now[v1::EVENT_CLASS_CONTROL], static_cast<int>(pid)) << "a control event went";
  }
  // 70 control events alone are beyond the limit, and they are all there.
  EXPECT_EQ(Kept(spool)[v1::EVENT_CLASS_FINDING], 0);
  EXPECT_GT(spool->Stats().bytes, spool->Stats().limit_bytes);
}

TEST(SpoolLimits, TEL4_WithinAClassTheOldestGoesFirst) {
  SpoolBox spool(100'000);
  for (uint32_t pid = 1; pid <= 40; ++pid) Append(spool, v1::EVENT_CLASS_FILE, pid);
  bool kept_began = false;
  for (const v1::Batch& batch : spool.All()) {
    const bool kept = batch.dropped() == v1::Gap::CAUSE_UNSPECIFIED;
    EXPECT_TRUE(kept || !kept_began) << "batch " << batch.first_sequence();
    kept_began = kept_began || kept;
  }
  EXPECT_TRUE(kept_began);
  EXPECT_FALSE(Dropped(spool).empty());
}

TEST(SpoolLimits, TEL4_WhatIsTooOldGoesButNoControlEvent) {
  SpoolBox spool;
  spool.Settings().limit_age_nanos = 10 * kHour;
  spool.CrashAndStart();
  for (const v1::EventClass event_class : kClasses) Append(spool, event_class, 1);
  spool.Time().Advance(9 * kHour);
  Must(spool->Maintain());
  EXPECT_TRUE(Dropped(spool).empty());
  Append(spool, v1::EVENT_CLASS_PROCESS, 2);
  spool.Time().Advance(2 * kHour);
  Must(spool->Maintain());
  EXPECT_EQ(Dropped(spool).size(), 3U);
  for (const v1::Batch& batch : Dropped(spool)) EXPECT_EQ(batch.dropped(), v1::Gap::CAUSE_SPOOL_AGE);
  EXPECT_EQ(Kept(spool)[v1::EVENT_CLASS_PROCESS], 1);
  EXPECT_GE(Kept(spool)[v1::EVENT_CLASS_CONTROL], 1);
}

// What went is told at the controller: events + gaps = what was put in, per class.
TEST(SpoolLimits, TEL4_TheControllerHearsOfEveryEventThatWent) {
  SpoolBox spool(150'000);
  constexpr uint32_t kPerClass = 30;
  for (uint32_t pid = 1; pid <= kPerClass; ++pid) {
    for (const v1::EventClass event_class : kClasses) Append(spool, event_class, pid);
  }
  ASSERT_FALSE(Dropped(spool).empty());
  spool.CrashAndStart();  // what was given up is told by whoever comes after, too

  StoreBox store;
  const controller::NewEnrollment enrollment = store.Enrolment();
  Must(store->CreateEnrollment(enrollment, testing::Note()));
  controller::NewHost host = StoreBox::HostNamed("reception-1");
  host.host_id = testing::kSpoolHost;
  Must(store->EnrollHost(enrollment.enrollment_id, enrollment.token, host));
  std::vector<controller::HostBatch> group;
  for (const v1::Batch& batch : spool.All()) group.push_back({testing::kSpoolHost, batch});
  for (const controller::BatchResult& result : Must(store->CommitBatches(group)).batches) {
    ASSERT_EQ(result.verdict, controller::BatchResult::Verdict::kCommitted) << result.reason;
  }
  std::map<v1::EventClass, uint64_t> told;
  uint64_t lost = 0;
  Must(store->QueryEvents({}, INT64_MAX, [&](v1::QueryEventsResponse&& row) {
    const v1::Gap& gap = row.event().gap();
    if (row.event().has_process_started()) ++told[row.event_class()];
    if (gap.cause() != v1::Gap::CAUSE_SPOOL_FULL) return true;
    EXPECT_LE(gap.first_time_unix_nanos(), gap.last_time_unix_nanos());
    EXPECT_GT(gap.first_time_unix_nanos(), 0);
    told[gap.event_class()] += gap.count();
    lost += gap.count();
    return true;
  }));
  EXPECT_GT(lost, 0U);
  for (const v1::EventClass event_class : kClasses) EXPECT_EQ(told[event_class], kPerClass) << event_class;
}

}  // namespace
}  // namespace cordon
