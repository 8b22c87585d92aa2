// Folding on the real kernel: a storm of programs, told and counted.

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <string>

#include "agent/process/process_sensor.h"
#include "platform/api/system.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/exec_storm.h"
#include "tests/support/subprocess.h"

namespace cordon::agent {
namespace {

using ::cordon::testing::RecordedEvent;
using ::cordon::testing::RecordingSink;

TEST(ProcessBurst, TEL1_AStormIsToldAndCountedToTheLastOne) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root for eBPF";
  constexpr int kCount = 3'000;
  constexpr uint32_t kFoldOver = 50;
  RecordingSink sink;
  const auto clock = platform::MakeSystemClock();
  const auto source = platform::MakeProcessSource("ebpf");
  ProcessSensor sensor(*source, sink, *clock, "host", "boot", kFoldOver);
  ASSERT_TRUE(sensor.Start().ok());
  source->Flush();
  ASSERT_EQ(testing::RunExecStorm(kCount, "folded").failed, 0);
  testing::MustRun({"/bin/sleep", "1.5"});  // from the same parent, and stays: it is told
  sensor.Stop();

  uint64_t told = 0;
  uint64_t ended = 0;
  uint64_t folded = 0;
  bool stayed = false;
  std::set<std::string> told_guids;
  for (const RecordedEvent& recorded : sink.Events()) {
    const v1::ProcessStarted& start = recorded.event.process_started();
    if (start.argv_size() == 3 && start.argv(1) == "folded") {
      ++told;
      told_guids.insert(start.process_guid());
    }
    stayed = stayed || (start.argv_size() == 2 && start.argv(1) == "1.5");
    ended += told_guids.contains(recorded.event.process_ended().process_guid()) ? 1 : 0;
    for (const v1::ProcessBurst::Program& program : recorded.event.process_burst().programs()) {
      folded += program.executable() == testing::TinyProgram() ? program.started() : 0;
    }
  }
  EXPECT_EQ(sensor.Lost(), 0);
  EXPECT_EQ(told + folded, kCount);
  EXPECT_GE(told, kFoldOver) << "the first ones";
  EXPECT_GT(folded, told);
  EXPECT_EQ(ended, told) << "who was told has its end told";
  EXPECT_TRUE(stayed);
}

}  // namespace
}  // namespace cordon::agent
