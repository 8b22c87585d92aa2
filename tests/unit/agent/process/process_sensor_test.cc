#include "agent/process/process_sensor.h"

#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_process_source.h"
#include "tests/fakes/recording_sink.h"

namespace cordon::agent {
namespace {

using ::cordon::testing::FakeClock;
using ::cordon::testing::FakeProcessSource;
using ::cordon::testing::RecordingSink;

constexpr platform::ProcessKey kChild{.pid = 200, .start_boottime_nanos = 2000};

class ProcessSensorTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  RecordingSink sink_;
  FakeProcessSource source_;
  ProcessSensor sensor_{source_, sink_, clock_, "host", "boot"};
};

TEST_F(ProcessSensorTest, SaysWhyItDidNotStart) {
  source_.FailToStart(absl::UnavailableError("no BTF and no connector"));
  EXPECT_FALSE(sensor_.Start().ok());
  EXPECT_FALSE(sensor_.State().serving);
  EXPECT_EQ(sensor_.State().detail, "no BTF and no connector");
  ASSERT_EQ(sink_.Events().size(), 1);
  EXPECT_EQ(sink_.Events()[0].event_class, v1::EVENT_CLASS_CONTROL);
  EXPECT_EQ(sink_.Events()[0].event.gap().cause(), v1::Gap::CAUSE_SENSOR_DOWN);
}

TEST_F(ProcessSensorTest, SaysThatAFallbackIsInUse) {
  source_.BeAFallback("It is slow.");
  ASSERT_TRUE(sensor_.Start().ok());
  ASSERT_EQ(sink_.Events().size(), 1);
  EXPECT_EQ(sink_.Events()[0].event.gap().cause(), v1::Gap::CAUSE_FALLBACK_SENSOR);
  EXPECT_EQ(sink_.Events()[0].event.gap().detail(), "fake: It is slow.");
}

TEST_F(ProcessSensorTest, SaysNothingOfAFullSource) {
  ASSERT_TRUE(sensor_.Start().ok());
  EXPECT_TRUE(sink_.Events().empty());
}

TEST_F(ProcessSensorTest, IsNotServingBeforeItsFirstProof) {
  ASSERT_TRUE(sensor_.Start().ok());
  EXPECT_FALSE(sensor_.State().serving);
  EXPECT_EQ(sensor_.State().last_proof_unix_nanos, 0);
}

TEST_F(ProcessSensorTest, ReadsWhatTheKernelHoldsBeforeItSaysWhoAPidIs) {
  ASSERT_TRUE(sensor_.Start().ok());
  source_.OnNextFlush([&] { source_.Exec(2100, {.process = kChild, .executable = "/bin/x"}); });
  const auto found = sensor_.Find(200, clock_.BootNanos());
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->executable, "/bin/x");
}

// Windows records starts by the clock of the wall. A file that a process wrote right after its start is its
// own all the same, and not of the one that had the pid before.
TEST_F(ProcessSensorTest, FindsAProcessWhoseStartWasRecordedByAClockThatWasSet) {
  ASSERT_TRUE(sensor_.Start().ok());
  constexpr int64_t kHour = 3600 * kNanosPerSecond;
  const int64_t now = clock_.BootNanos();
  source_.Exec(now - 2000,
               {.process = {.pid = 200, .start_boottime_nanos = now - 2000}, .executable = "/old"});
  source_.SetClockForward(kHour);
  source_.Exec(now - 1000,
               {.process = {.pid = 200, .start_boottime_nanos = now - 1000 + kHour}, .executable = "/new"});
  const auto found = sensor_.Find(200, now);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->executable, "/new");
}

TEST_F(ProcessSensorTest, ReadsOnceForAllEventsOfTheSameTime) {
  ASSERT_TRUE(sensor_.Start().ok());
  const int64_t now = clock_.BootNanos();
  for (int i = 0; i < 10; ++i) static_cast<void>(sensor_.Find(200, now - i));
  EXPECT_EQ(source_.Flushes(), 1);
}

TEST_F(ProcessSensorTest, AnnouncesAForkThatStays) {
  ASSERT_TRUE(sensor_.Start().ok());
  source_.Fork(kChild, {.pid = 1, .start_boottime_nanos = 1}, clock_.BootNanos());
  clock_.Advance(kNanosPerSecond);
  EXPECT_TRUE(sink_.WaitFor([](const v1::Event& event) { return event.has_process_forked(); }));
}

TEST_F(ProcessSensorTest, TellsNothingAfterStop) {
  ASSERT_TRUE(sensor_.Start().ok());
  sensor_.Stop();
  source_.Exec(2100, {.process = kChild});
  EXPECT_TRUE(sink_.Events().empty());
  EXPECT_FALSE(sensor_.State().serving);
}

TEST_F(ProcessSensorTest, CountsWhatTheKernelLost) {
  ASSERT_TRUE(sensor_.Start().ok());
  source_.Lose({.count = 7, .first_boottime_nanos = 10, .last_boottime_nanos = 20});
  EXPECT_EQ(sensor_.Lost(), 7);
}

}  // namespace
}  // namespace cordon::agent
