// Where the kernel does not permit eBPF, the process connector steps in by itself, and health and stream say
// so.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "agent/process/process_sensor.h"
#include "platform/api/system.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/capabilities.h"
#include "tests/support/subprocess.h"

namespace cordon::agent {
namespace {

using ::cordon::testing::RecordedEvent;
using ::cordon::testing::RecordingSink;
using ::testing::AllOf;
using ::testing::HasSubstr;

// Runs `body` on a thread that may do all that root may, but for eBPF.
void WithoutBpf(const std::function<void()>& body) {
  std::thread thread([&] {
    testing::DropCapabilities({CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN});
    body();
  });
  thread.join();
}

struct Sensor {
  RecordingSink sink;
  std::unique_ptr<Clock> clock = platform::MakeSystemClock();
  std::unique_ptr<platform::ProcessSource> source = platform::MakeProcessSource();
  ProcessSensor sensor{*source, sink, *clock, "host", "boot"};
};

bool TellsOfFallback(const v1::Event& event) {
  return event.gap().cause() == v1::Gap::CAUSE_FALLBACK_SENSOR;
}

class ProcessFallback : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root: the kernel tells nobody else about all processes";
  }
};

TEST_F(ProcessFallback, IsNotUsedWhereEbpfIsPermitted) {  // the positive control
  Sensor s;
  ASSERT_TRUE(s.sensor.Start().ok());
  EXPECT_EQ(s.source->Info().name, "ebpf");
  for (const RecordedEvent& recorded : s.sink.Events()) EXPECT_FALSE(TellsOfFallback(recorded.event));
}

TEST_F(ProcessFallback, EbpfItselfIsRefusedWithoutTheRight) {
  WithoutBpf([] {
    const auto source = platform::MakeProcessSource("ebpf");
    EXPECT_FALSE(source->Start([](auto) {}).ok());
  });
}

TEST_F(ProcessFallback, TEL1_StepsInByItselfAndHealthAndStreamSaySo) {
  WithoutBpf([] {
    Sensor s;
    const absl::Status started = s.sensor.Start();
    ASSERT_TRUE(started.ok()) << started;
    EXPECT_TRUE(s.source->Info().fallback);
    EXPECT_EQ(s.source->Info().name, "proc-connector");
    // The stream: what cannot be seen is a gap, with the reason.
    ASSERT_TRUE(s.sink.WaitFor(TellsOfFallback));
    for (const RecordedEvent& recorded : s.sink.Events()) {
      if (!TellsOfFallback(recorded.event)) continue;
      EXPECT_EQ(recorded.event_class, v1::EVENT_CLASS_CONTROL);
      EXPECT_EQ(recorded.event.gap().event_class(), v1::EVENT_CLASS_PROCESS);
      EXPECT_TRUE(recorded.event.gap().count_unknown());
      EXPECT_THAT(recorded.event.gap().detail(),
                  AllOf(HasSubstr("proc-connector"), HasSubstr("In use because of")));
    }
    // Health: it serves, and says by what.
    s.sensor.Prove();
    EXPECT_TRUE(s.sensor.State().serving) << s.sensor.State().detail;
    EXPECT_THAT(s.sensor.State().detail, AllOf(HasSubstr("proc-connector"), HasSubstr("In use because of")));
  });
}

TEST_F(ProcessFallback, SeesProgramsThatLiveLongEnough) {
  WithoutBpf([] {
    Sensor s;
    ASSERT_TRUE(s.sensor.Start().ok());
    testing::Subprocess child({"/bin/sleep", "61.7"});  // lives until it was seen
    EXPECT_TRUE(s.sink.WaitFor([&](const v1::Event& event) {
      const v1::ProcessStarted& start = event.process_started();
      return start.pid() == static_cast<uint32_t>(child.Pid()) && start.argv_size() == 2 &&
             start.argv(1) == "61.7" && start.argv_from_proc();
    }));
  });
}

// Neither way is open (the connector is the first network namespace's alone): the sensor says what it lacks,
// and the stream that nobody watches.
TEST_F(ProcessFallback, TEL1_WithoutTheConnectorTheSensorIsDownAndSaysSo) {
  std::thread thread([] {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    testing::DropCapabilities({CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN});
    Sensor s;
    EXPECT_FALSE(s.sensor.Start().ok());
    EXPECT_FALSE(s.sensor.State().serving);
    EXPECT_THAT(s.sensor.State().detail, HasSubstr("; and "));
    ASSERT_EQ(s.sink.Events().size(), 1U);
    EXPECT_EQ(s.sink.Events()[0].event.gap().cause(), v1::Gap::CAUSE_SENSOR_DOWN);
  });
  thread.join();
}

}  // namespace
}  // namespace cordon::agent
