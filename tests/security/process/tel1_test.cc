// TEL-1 of the process sensor: received events + gaps = what happened.

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "agent/process/process_tracker.h"
#include "platform/api/system.h"
#include "platform/linux/processes/ebpf_source.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/exec_storm.h"

namespace cordon::agent {
namespace {

using ::cordon::testing::RecordedEvent;
using ::cordon::testing::RecordingSink;

// A reader that can be held up, as by a disk that does not answer.
class Gate {
 public:
  void Close() { Set(false); }
  void Open() { Set(true); }
  void Pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  void Set(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
};

struct Truth {
  uint64_t attempted = 0;  // records, as the kernel side counted them
  uint64_t delivered = 0;
  uint64_t gap_count = 0;
  uint64_t gap_events = 0;
  size_t storm_starts = 0;
};

// Changes of privileges and tracers may come another way (decision 0030).
bool IsFromRing(const platform::RawProcessFact& fact) {
  if (const auto* exec = std::get_if<platform::RawExec>(&fact)) return !exec->from_snapshot;
  return std::holds_alternative<platform::RawFork>(fact) || std::holds_alternative<platform::RawExit>(fact);
}

Truth RunStorm(int count, uint32_t ring_bytes, bool hold_reader) {
  RecordingSink sink;
  const auto clock = platform::MakeSystemClock();
  ProcessTracker tracker(sink, *clock, "host", "boot", {});
  platform::EbpfProcessSource source({.ring_bytes = ring_bytes});
  Gate gate;
  Truth truth;
  const absl::Status started = source.Start([&](std::span<platform::RawProcessEvent> events) {
    gate.Pass();
    for (const platform::RawProcessEvent& event : events) {
      truth.delivered += IsFromRing(event.fact) ? 1 : 0;
    }
    tracker.Handle(events);
  });
  EXPECT_TRUE(started.ok()) << started;
  if (!started.ok()) return truth;
  source.Flush();
  if (hold_reader) gate.Close();
  testing::RunExecStorm(count, "tel1");
  gate.Open();
  source.Stop();
  truth.attempted = source.Attempted();
  for (const RecordedEvent& recorded : sink.Events()) {
    if (recorded.event.has_gap()) {
      const v1::Gap& gap = recorded.event.gap();
      EXPECT_EQ(gap.cause(), v1::Gap::CAUSE_KERNEL_BUFFER_FULL);
      EXPECT_EQ(gap.event_class(), v1::EVENT_CLASS_PROCESS);
      EXPECT_LE(gap.first_time_unix_nanos(), gap.last_time_unix_nanos());
      ++truth.gap_events;
      truth.gap_count += gap.count();
    }
    const v1::ProcessStarted& start = recorded.event.process_started();
    if (start.argv_size() == 3 && start.argv(1) == "tel1") ++truth.storm_starts;
  }
  return truth;
}

TEST(ProcessSensor, TEL1_EventsAndGapsTogetherAreWhatHappened) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root for eBPF";
  constexpr int kCount = 1000;

  // Positive control: with room and a reader that reads, nothing is lost and no gap is claimed.
  const Truth calm = RunStorm(kCount, 1 << 20, false);
  EXPECT_EQ(calm.gap_events, 0);
  EXPECT_EQ(calm.storm_starts, kCount);
  EXPECT_EQ(calm.delivered, calm.attempted);

  // A ring of two pages and a reader that is stuck: most is lost, and the gaps say exactly how much.
  const Truth stuck = RunStorm(kCount, 8192, true);
  EXPECT_GT(stuck.gap_events, 0);
  EXPECT_LT(stuck.storm_starts, kCount);
  EXPECT_EQ(stuck.delivered + stuck.gap_count, stuck.attempted);
  EXPECT_GE(stuck.storm_starts + stuck.gap_count, kCount);
}

}  // namespace
}  // namespace cordon::agent
