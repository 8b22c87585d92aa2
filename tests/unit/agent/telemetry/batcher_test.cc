#include "agent/telemetry/batcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/stubborn_spool.h"

namespace cordon::agent {
namespace {

using namespace std::chrono_literals;
using testing::FakeClock;
using testing::StubbornSpool;

v1::Event Started(uint32_t pid, size_t bytes = 0) {
  v1::Event event;
  event.mutable_process_started()->set_pid(pid);
  event.mutable_process_started()->set_executable(std::string(bytes, 'x'));
  return event;
}

bool Eventually(const std::function<bool()>& happens) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (std::chrono::steady_clock::now() < deadline) {
    if (happens()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

uint64_t CountLost(const std::vector<v1::Event>& events) {
  uint64_t lost = 0;
  for (const v1::Event& event : events) lost += event.gap().count();
  return lost;
}

class BatcherTest : public ::testing::Test {
 protected:
  void Start(BatcherSettings settings = {.flush_after = 1h, .retry_after = 5ms}) {
    batcher_ = std::make_unique<Batcher>(spool_, clock_, settings, [this] { ++committed_; });
  }

  StubbornSpool spool_;
  FakeClock clock_;
  std::atomic<int> committed_ = 0;
  std::unique_ptr<Batcher> batcher_;
};

TEST_F(BatcherTest, WritesControlAndFindingsAtOnce) {
  Start();
  batcher_->Emit(v1::EVENT_CLASS_CONTROL, 1, Started(1));
  EXPECT_TRUE(Eventually([&] { return spool_.Events().size() == 1; }));
  batcher_->Emit(v1::EVENT_CLASS_FINDING, 1, Started(2));
  EXPECT_TRUE(Eventually([&] { return committed_ == 2; }));
}

TEST_F(BatcherTest, WritesAFullBatchAtOnce) {
  Start({.flush_events = 10, .flush_after = 1h});
  for (uint32_t pid = 1; pid <= 9; ++pid) batcher_->Emit(v1::EVENT_CLASS_PROCESS, 1, Started(pid));
  EXPECT_EQ(spool_.Writes(), 0);
  batcher_->Emit(v1::EVENT_CLASS_PROCESS, 1, Started(10));
  EXPECT_TRUE(Eventually([&] { return spool_.Events().size() == 10; }));
}

TEST_F(BatcherTest, WritesAfterAWhile) {
  Start({.flush_after = 1ms});
  batcher_->Emit(v1::EVENT_CLASS_PROCESS, 1, Started(1));
  EXPECT_TRUE(Eventually([&] { return spool_.Events().size() == 1; }));
}

TEST_F(BatcherTest, GathersForLongerWhileNobodyAcknowledges) {
  Start({.flush_after = 1ms, .unheard_after = 50ms, .unheard_flush_after = 1h});
  batcher_->Emit(v1::EVENT_CLASS_PROCESS, 1, Started(1));
  ASSERT_TRUE(Eventually([&] { return committed_ == 1; }));
  std::this_thread::sleep_for(100ms);
  batcher_->Emit(v1::EVENT_CLASS_PROCESS, 1, Started(2));
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(committed_, 1);
  batcher_->Emit(v1::EVENT_CLASS_CONTROL, 1, Started(3));  // what is urgent takes the rest along
  ASSERT_TRUE(Eventually([&] { return committed_ == 2; }));
  batcher_->WakeForMaintenance();
  batcher_->Emit(v1::EVENT_CLASS_PROCESS, 1, Started(4));
  EXPECT_TRUE(Eventually([&] { return committed_ == 3; }));
}

// One write for what was acknowledged and what is new, and not two syncs of the disk for each event.
TEST_F(BatcherTest, WhatIsAcknowledgedWaitsForTheNextWrite) {
  Start({.flush_after = 1ms, .forget_after = 1h});
  batcher_->Emit(v1::EVENT_CLASS_PROCESS, 1, Started(1));
  ASSERT_TRUE(Eventually([&] { return committed_ == 1; }));
  batcher_->WakeForMaintenance();
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(spool_.Writes(), 1);
  batcher_->Emit(v1::EVENT_CLASS_PROCESS, 1, Started(2));
  ASSERT_TRUE(Eventually([&] { return committed_ == 2; })) << "new events wait no longer for that";
  EXPECT_EQ(spool_.Writes(), 2);
}

TEST_F(BatcherTest, WhatIsAcknowledgedIsForgottenAlsoWhenNothingNewComes) {
  Start({.flush_after = 1h, .forget_after = 1ms});
  batcher_->WakeForMaintenance();
  EXPECT_TRUE(Eventually([&] { return spool_.Writes() == 1; }));
}

TEST_F(BatcherTest, MuchThatIsAcknowledgedIsForgottenSoon) {
  Start({.flush_after = 1ms, .forget_after = 1h, .forget_soon_bytes = 0});
  batcher_->WakeForMaintenance();
  EXPECT_TRUE(Eventually([&] { return spool_.Writes() == 1; }));
}

TEST_F(BatcherTest, FlushesAllThatWasEmittedBefore) {
  Start();
  std::vector<std::thread> sensors;
  for (uint32_t sensor = 0; sensor < 4; ++sensor) {
    sensors.emplace_back([&] {
      for (uint32_t pid = 0; pid < 500; ++pid) batcher_->Emit(v1::EVENT_CLASS_PROCESS, 1, Started(pid));
    });
  }
  for (std::thread& sensor : sensors) sensor.join();
  ASSERT_TRUE(batcher_->Flush(20s).ok());
  EXPECT_EQ(spool_.Events().size(), 2'000);
}

TEST_F(BatcherTest, StopsCleanly) {
  Start();
  batcher_->Emit(v1::EVENT_CLASS_PROCESS, 1, Started(1));
  ASSERT_TRUE(batcher_->Stop(20s).ok());
  EXPECT_EQ(spool_.Events().size(), 1);
  EXPECT_TRUE(spool_.ClosedCleanly());
}

// Isolation and the link are not done when the sensors are.
TEST_F(BatcherTest, TEL1_WhatComesWhileItStopsIsWrittenBeforeTheCleanEnd) {
  batcher_ = std::make_unique<Batcher>(spool_, clock_, BatcherSettings{.flush_after = 1h}, [this] {
    if (++committed_ == 1) batcher_->Emit(v1::EVENT_CLASS_PROCESS, 1, Started(2));
  });
  batcher_->Emit(v1::EVENT_CLASS_PROCESS, 1, Started(1));
  ASSERT_TRUE(batcher_->Stop(20s).ok());
  EXPECT_EQ(spool_.Events().size(), 2);
  EXPECT_EQ(committed_, 2) << "the sender is told";
  EXPECT_TRUE(spool_.ClosedCleanly());
}

TEST_F(BatcherTest, IsNotCleanWhenTheLastEventsCannotBeWritten) {
  Start();
  spool_.FillDisk();
  batcher_->Emit(v1::EVENT_CLASS_PROCESS, 1, Started(1));
  EXPECT_FALSE(batcher_->Stop(20ms).ok());
  EXPECT_FALSE(spool_.ClosedCleanly());
}

TEST_F(BatcherTest, KeepsEventsInOrderWhileTheDiskIsFull) {
  Start();
  spool_.FillDisk();
  for (uint32_t pid = 1; pid <= 5; ++pid) batcher_->Emit(v1::EVENT_CLASS_CONTROL, 1, Started(pid));
  EXPECT_FALSE(batcher_->Flush(20ms).ok());
  batcher_->Emit(v1::EVENT_CLASS_CONTROL, 1, Started(6));
  spool_.FreeDisk();
  ASSERT_TRUE(batcher_->Flush(20s).ok());
  const auto events = spool_.Events();
  ASSERT_EQ(events.size(), 6);
  for (uint32_t i = 0; i < 6; ++i) EXPECT_EQ(events[i].process_started().pid(), i + 1);
}

TEST_F(BatcherTest, TEL1_CountsWhatDoesNotFitInMemory) {
  Start({.limit_bytes = 20'000, .longest_block = 1ms, .retry_after = 5ms});
  spool_.FillDisk();
  for (uint32_t pid = 0; pid < 100; ++pid)
    batcher_->Emit(v1::EVENT_CLASS_FILE, 1'000 + pid, Started(pid, 1'000));
  batcher_->Emit(v1::EVENT_CLASS_CONTROL, 1, Started(1));
  spool_.FreeDisk();
  ASSERT_TRUE(batcher_->Flush(20s).ok());
  const auto events = spool_.Events();
  const uint64_t lost = CountLost(events);
  EXPECT_GT(lost, 50);
  EXPECT_EQ(lost, batcher_->QueueFullLosses());
  uint64_t received = 0;
  for (const v1::Event& event : events) {
    if (event.has_process_started()) ++received;
    if (!event.has_gap()) continue;
    EXPECT_EQ(event.gap().cause(), v1::Gap::CAUSE_QUEUE_FULL);
    EXPECT_EQ(event.gap().event_class(), v1::EVENT_CLASS_FILE);
    EXPECT_EQ(event.gap().last_time_unix_nanos(), 1'099);
  }
  EXPECT_EQ(received + lost, 101);
}

TEST_F(BatcherTest, HoldsASensorBackUntilThereIsRoom) {
  Start({.flush_events = 1, .limit_bytes = 20'000, .longest_block = 20s});
  spool_.Hold();
  std::thread sensor([&] {
    for (uint32_t pid = 0; pid < 100; ++pid) batcher_->Emit(v1::EVENT_CLASS_FILE, 1, Started(pid, 1'000));
  });
  spool_.Resume();
  sensor.join();
  ASSERT_TRUE(batcher_->Flush(20s).ok());
  EXPECT_EQ(batcher_->QueueFullLosses(), 0);
  EXPECT_EQ(spool_.Events().size(), 100);
}

TEST_F(BatcherTest, ProvesItselfByAWrite) {
  Start();
  EXPECT_FALSE(batcher_->State().serving);
  batcher_->Prove();
  EXPECT_TRUE(batcher_->State().serving);
  EXPECT_EQ(batcher_->State().last_proof_unix_nanos, clock_.WallNanos());
  EXPECT_EQ(spool_.Writes(), 1);
}

// A disk that takes writes is not enough: nobody would get them.
TEST_F(BatcherTest, TEL1_IsNotServingWhenTheQueueCannotBeRead) {
  Start();
  spool_.Damage(absl::DataLossError("agent.db is damaged behind event 7"));
  batcher_->Prove();
  EXPECT_FALSE(batcher_->State().serving);
  EXPECT_EQ(batcher_->State().detail, "agent.db is damaged behind event 7");
  spool_.Damage(absl::OkStatus());
  batcher_->Prove();
  EXPECT_TRUE(batcher_->State().serving) << "the positive control";
}

}  // namespace
}  // namespace cordon::agent
