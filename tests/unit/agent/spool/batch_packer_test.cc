#include "agent/spool/batch_packer.h"

#include <gtest/gtest.h>

#include "common/crypto/digest.h"
#include "common/wire/batch_codec.h"
#include "tests/support/spool_box.h"

namespace cordon::agent {
namespace {

using testing::BulkyEvent;
using testing::Group;
using testing::ProcessEvent;

std::vector<TimedEvent> Many(size_t count, size_t bytes = 0) {
  std::vector<TimedEvent> events;
  for (uint32_t pid = 1; pid <= count; ++pid) {
    events.push_back(bytes == 0 ? ProcessEvent(pid, pid) : BulkyEvent(pid, bytes));
  }
  return events;
}

TEST(PackBatches, KeepsOrderClassTimesAndHash) {
  const auto batches =
      PackBatches({Group(v1::EVENT_CLASS_PROCESS, {ProcessEvent(1, 500), ProcessEvent(2, 400)}),
                   Group(v1::EVENT_CLASS_FILE, {ProcessEvent(3, 900)})});
  ASSERT_EQ(batches.size(), 2);
  EXPECT_EQ(batches[0].event_class(), v1::EVENT_CLASS_PROCESS);
  EXPECT_EQ(batches[0].first_time_unix_nanos(), 400);
  EXPECT_EQ(batches[0].last_time_unix_nanos(), 500);
  EXPECT_EQ(batches[0].payload_sha256(), Sha256(batches[0].payload()));
  const v1::EventList list = *DecodeEvents(batches[0].payload(), 2);
  EXPECT_EQ(list.events(0).process_started().pid(), 1);
  EXPECT_EQ(list.base_time_unix_nanos() + list.events(0).time_offset_nanos(), 500);
  EXPECT_EQ(list.base_time_unix_nanos() + list.events(1).time_offset_nanos(), 400);
}

TEST(PackBatches, SplitsWhatHasTooManyEvents) {
  const auto batches = PackBatches({Group(v1::EVENT_CLASS_PROCESS, Many(25'000))});
  uint64_t events = 0;
  for (const v1::Batch& batch : batches) {
    EXPECT_LE(batch.event_count(), kMaxBatchEvents);
    events += batch.event_count();
  }
  EXPECT_EQ(events, 25'000);
}

TEST(PackBatches, SplitsWhatDoesNotCompressEnough) {
  const auto batches = PackBatches({Group(v1::EVENT_CLASS_FILE, Many(40, 100'000))});
  EXPECT_GT(batches.size(), 2);
  uint64_t events = 0;
  for (const v1::Batch& batch : batches) {
    EXPECT_LE(batch.payload().size(), kMaxPackedBytes);
    events += batch.event_count();
  }
  EXPECT_EQ(events, 40);
}

TEST(PackBatches, TurnsAnEventThatFitsNowhereIntoAGapAndKeepsTheOthers) {
  const auto batches = PackBatches(
      {Group(v1::EVENT_CLASS_FILE, {ProcessEvent(1), BulkyEvent(2, 3 * kMaxPackedBytes), ProcessEvent(3)})});
  ASSERT_EQ(batches.size(), 3);
  EXPECT_EQ(batches[0].event_count(), 1);
  EXPECT_EQ(batches[1].event_count(), 1);
  EXPECT_EQ(batches[2].event_class(), v1::EVENT_CLASS_CONTROL);
  const v1::Gap gap = DecodeEvents(batches[2].payload(), 1)->events(0).gap();
  EXPECT_EQ(gap.event_class(), v1::EVENT_CLASS_FILE);
  EXPECT_EQ(gap.count(), 1);
  EXPECT_NE(gap.detail().find("larger than a batch"), std::string::npos);
}

TEST(PackBatches, TakesTimesThatAreNone) {
  const auto batches =
      PackBatches({Group(v1::EVENT_CLASS_FILE, {ProcessEvent(1, INT64_MIN), ProcessEvent(2, INT64_MAX)})});
  ASSERT_EQ(batches.size(), 1);
  EXPECT_EQ(batches[0].first_time_unix_nanos(), 0);
}

TEST(PackBatches, TakesAnEventOfNoClassForControl) {
  EXPECT_EQ(PackBatches({Group(v1::EVENT_CLASS_UNSPECIFIED, {ProcessEvent(1)})})[0].event_class(),
            v1::EVENT_CLASS_CONTROL);
}

}  // namespace
}  // namespace cordon::agent
