// File sensor and process sensor together, as in the agent: who wrote a file is told although nobody could
// look at the process any more.

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>

#include "agent/integrity/file_sensor.h"
#include "agent/process/process_sensor.h"
#include "platform/api/system.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/soak.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using cordon::testing::RecordingSink;
using cordon::testing::TempFolder;

class BothSensors : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "fanotify and eBPF need root";
    const absl::Status processes = processes_.Start();
    ASSERT_TRUE(processes.ok()) << processes;
    v1::Policy policy;
    policy.add_watched_paths(folder_.Path().string());
    const absl::Status files = files_.Start(policy);
    ASSERT_TRUE(files.ok()) << files;
  }

  // The guid under which the process sensor has told of each shell, by the file that it was to write.
  std::map<std::string, std::string> Writers() const {
    std::map<std::string, std::string> writers;
    for (const auto& recorded : process_events_.Events()) {
      const v1::ProcessStarted& start = recorded.event.process_started();
      if (start.argv_size() == 4 && start.argv(0) == "/bin/sh") writers[start.argv(3)] = start.process_guid();
    }
    return writers;
  }

  TempFolder folder_, state_;
  std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  RecordingSink process_events_;
  RecordingSink file_events_;
  std::unique_ptr<platform::ProcessSource> source_ = platform::MakeProcessSource("ebpf");
  ProcessSensor processes_{*source_, process_events_, *clock_, "host", "boot"};
  FileSensor files_{{.state_folder = state_.Path(), .settle = {.quiet_nanos = 100 * kNanosPerMilli}},
                    platform::MakeFileSource,
                    *clock_,
                    processes_,
                    file_events_};
};

TEST_F(BothSensors, OneShotWritersAreEachNamedByTheRealProcessSensor) {
  const int kWriters = cordon::testing::StormCount(1'000, 10'000);
  const auto path_of = [&](int number) { return (folder_ / std::to_string(number)).string(); };
  for (int number = 0; number < kWriters; ++number)
    cordon::testing::MustRun({"/bin/sh", "-c", "echo 1 > \"$0\"", path_of(number)});
  ASSERT_TRUE(file_events_.WaitFor(
      [&](const v1::Event& event) { return event.file_changed().path() == path_of(kWriters - 1); },
      std::chrono::minutes(2)));
  files_.Stop();
  processes_.Stop();
  const std::map<std::string, std::string> writers = Writers();
  ASSERT_EQ(writers.size(), static_cast<size_t>(kWriters)) << "the positive control";
  const std::string shell = std::filesystem::canonical("/bin/sh").string();
  int named = 0;
  for (const auto& recorded : file_events_.Events()) {
    ASSERT_FALSE(recorded.event.has_gap()) << recorded.event.gap().detail();
    const v1::FileChanged& change = recorded.event.file_changed();
    EXPECT_EQ(change.change(), v1::FileChanged::CHANGE_CREATED);
    EXPECT_EQ(change.process_guid(), writers.at(change.path())) << change.path();
    EXPECT_EQ(std::filesystem::canonical(change.executable()).string(), shell);
    ++named;
  }
  EXPECT_EQ(named, kWriters);
}

}  // namespace
}  // namespace cordon::agent
