#pragma once

// A file sensor on the real kernel over a folder of its own, for tests of what it tells.

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "agent/integrity/file_sensor.h"
#include "platform/api/system.h"
#include "tests/fakes/fake_process_directory.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {

class WatchedFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "fanotify needs root";
    policy_.add_watched_paths(folder_.Path().string());
  }

  void Start() {
    const absl::Status status = sensor_.Start(policy_);
    ASSERT_TRUE(status.ok()) << status;
  }

  // Runs a program that ends at once; its pid, which the process directory then knows.
  pid_t Run(std::vector<std::string> arguments) {
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_t pid = 0;
    EXPECT_EQ(posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ), 0) << arguments[0];
    int status = 0;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0) << arguments[0];
    processes_.Started(static_cast<uint32_t>(pid),
                       {.guid = "guid" + std::to_string(pid), .executable = arguments[0]});
    return pid;
  }
  pid_t Shell(const std::string& command) {
    return Run({"/bin/sh", "-c", "cd " + folder_.Path().string() + "; " + command});
  }
  pid_t Python(const std::string& program) {
    return Run({"python3", "-c", "import os; os.chdir('" + folder_.Path().string() + "')\n" + program});
  }

  bool Told(v1::FileChanged::Change change, const std::string& name,
            const std::function<bool(const v1::FileChanged&)>& wanted = {}) {
    return sink_.WaitFor([&](const v1::Event& event) {
      const v1::FileChanged& told = event.file_changed();
      return told.change() == change && told.path() == (folder_ / name).string() && (!wanted || wanted(told));
    });
  }

  cordon::testing::TempFolder folder_, elsewhere_, state_;
  std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  cordon::testing::FakeProcessDirectory processes_;
  cordon::testing::RecordingSink sink_;
  v1::Policy policy_;
  FileSensor sensor_{{.state_folder = state_.Path(),
                      .settle = {.quiet_nanos = 100 * kNanosPerMilli},
                      .settle_reads = {.quiet_nanos = 300 * kNanosPerMilli}},
                     platform::MakeFileSource,
                     *clock_,
                     processes_,
                     sink_};
};

}  // namespace cordon::agent
