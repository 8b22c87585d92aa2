// The process sensor on the real kernel, from fork to event.

#include "agent/process/process_sensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/sanitizer.h"
#include "common/base/strings.h"
#include "platform/api/system.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/build_paths.h"
#include "tests/support/exec_storm.h"
#include "tests/support/subprocess.h"

namespace cordon::agent {
namespace {

using ::cordon::testing::RecordedEvent;
using ::cordon::testing::RecordingSink;

class ProcessSensorOnTheKernel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for eBPF";
    const absl::Status started = sensor_.Start();
    ASSERT_TRUE(started.ok()) << started;
    source_->Flush();
  }

  RecordingSink sink_;
  const std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  const std::unique_ptr<platform::ProcessSource> source_ = platform::MakeProcessSource("ebpf");
  ProcessSensor sensor_{*source_, sink_, *clock_, "host", "boot"};
};

TEST_F(ProcessSensorOnTheKernel, ProvesItselfWithACanary) {
  EXPECT_FALSE(sensor_.State().serving);
  sensor_.Prove();
  EXPECT_TRUE(sensor_.State().serving) << sensor_.State().detail;
  EXPECT_GT(sensor_.State().last_proof_unix_nanos, 0);
}

TEST_F(ProcessSensorOnTheKernel, SeesEveryOneOfTwentyThousandPrograms) {
#if defined(CORDON_THREAD_SANITIZER)
  constexpr int kCount = 4'000;  // more would be told in a gap: its reader is ten times slower
#else
  constexpr int kCount = 20'000;
#endif
  ASSERT_EQ(testing::RunExecStorm(kCount, "twenty-thousand").failed, 0);
  sensor_.Stop();
  std::set<int> started;
  std::map<std::string, int> ends;
  std::set<std::string> guids;
  for (const RecordedEvent& recorded : sink_.Events()) {
    if (recorded.event.has_process_ended()) ++ends[recorded.event.process_ended().process_guid()];
    const v1::ProcessStarted& start = recorded.event.process_started();
    if (start.argv_size() != 3 || start.argv(1) != "twenty-thousand") continue;
    EXPECT_EQ(start.argv(0), "storm");
    EXPECT_EQ(start.executable(), testing::TinyProgram());
    EXPECT_TRUE(started.insert(std::stoi(start.argv(2))).second) << start.argv(2) << " started twice";
    EXPECT_TRUE(guids.insert(start.process_guid()).second) << "two processes share a guid";
  }
  EXPECT_EQ(sensor_.Lost(), 0);
  EXPECT_EQ(started.size(), kCount);
  for (const std::string& guid : guids) ASSERT_EQ(ends[guid], 1);
}

// Of a child of this test, as the kernel tells its parent.
struct Spent {
  uint32_t pid = 0;
  int status = -1;
  int64_t cpu_nanos = 0;
  uint64_t peak_bytes = 0;
};

Spent Spawn(std::vector<std::string> args) {
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  Spent spent;
  pid_t pid = -1;
  if (posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environ) != 0) return spent;
  rusage usage{};
  if (wait4(pid, &spent.status, 0, &usage) != pid) return spent;
  const auto nanos = [](const timeval& time) { return time.tv_sec * 1'000'000'000 + time.tv_usec * 1'000; };
  spent.pid = static_cast<uint32_t>(pid);
  spent.cpu_nanos = nanos(usage.ru_utime) + nanos(usage.ru_stime);
  spent.peak_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1'024;
  return spent;
}

TEST_F(ProcessSensorOnTheKernel, AnEndTellsTheCpuTimeOfAllThreadsAndThePeakOfMemory) {
  constexpr int64_t kMilli = 1'000'000;
  constexpr uint64_t kMebibyte = 1ULL << 20U;
  const Spent much = Spawn({StrCat(testing::kBinaryDir, "/tests/burner"), "192", "900"});
  const Spent little = Spawn({testing::TinyProgram(), "little"});
  ASSERT_TRUE(WIFEXITED(much.status));
  ASSERT_EQ(WEXITSTATUS(much.status), 7);
  ASSERT_TRUE(WIFEXITED(little.status));
  sensor_.Stop();
  std::map<uint32_t, std::vector<v1::ProcessEnded>> ends;
  for (const RecordedEvent& recorded : sink_.Events()) {
    const v1::ProcessEnded& ended = recorded.event.process_ended();
    if (recorded.event.has_process_ended()) ends[ended.pid()].push_back(ended);
  }
  ASSERT_EQ(ends[much.pid].size(), 1U);
  ASSERT_EQ(ends[little.pid].size(), 1U);
  const v1::ProcessEnded& burned = ends[much.pid][0];
  const v1::ProcessEnded& tiny = ends[little.pid][0];
  EXPECT_EQ(burned.exit_code(), 7);
  // The kernel counts the running slice at its next tick; what is above is the process's own end.
  EXPECT_GE(burned.cpu_nanos(), 850 * kMilli);
  EXPECT_LE(burned.cpu_nanos(), 1'500 * kMilli);
  EXPECT_NEAR(static_cast<double>(burned.cpu_nanos()), static_cast<double>(much.cpu_nanos), 100 * kMilli);
  EXPECT_LE(tiny.cpu_nanos(), 300 * kMilli);
  // A spawned child begins in its parent's memory, whose peak counts too.
  rusage own{};
  getrusage(RUSAGE_SELF, &own);
  const uint64_t of_parent = static_cast<uint64_t>(own.ru_maxrss) * 1'024;
  EXPECT_GE(burned.peak_memory_bytes(), 188 * kMebibyte);
  EXPECT_LE(burned.peak_memory_bytes(), std::max(192 * kMebibyte, of_parent) + 32 * kMebibyte);
  EXPECT_EQ(burned.peak_memory_bytes(), much.peak_bytes);
  EXPECT_GT(tiny.peak_memory_bytes(), 0U);
  EXPECT_LE(tiny.peak_memory_bytes(), of_parent + 4 * kMebibyte);
  EXPECT_EQ(tiny.peak_memory_bytes(), little.peak_bytes);
}

TEST_F(ProcessSensorOnTheKernel, NamesTheParentsOfShortLivedProcesses) {
  const std::string tiny = testing::TinyProgram();
  // sh -> subshell -> program: all of them gone before anybody could look.
  testing::MustRun({"/bin/sh", "-c", "(" + tiny + " of-subshell; true); true"});
  sensor_.Stop();
  std::map<std::string, v1::Event> announced;
  std::string chain;
  for (const RecordedEvent& recorded : sink_.Events()) {
    const v1::Event& event = recorded.event;
    if (event.has_process_forked()) announced[event.process_forked().process_guid()] = event;
    if (!event.has_process_started()) continue;
    const v1::ProcessStarted& start = event.process_started();
    announced[start.process_guid()] = event;
    if (start.argv_size() != 2 || start.argv(1) != "of-subshell") continue;
    const v1::Event& subshell = announced[start.parent_guid()];
    ASSERT_TRUE(subshell.has_process_forked());
    const v1::Event& shell = announced[subshell.process_forked().parent_guid()];
    ASSERT_TRUE(shell.has_process_started());
    EXPECT_EQ(shell.process_started().argv(0), "/bin/sh");
    EXPECT_EQ(shell.process_started().parent_pid(), static_cast<uint32_t>(getpid()));
    chain = "found";
  }
  EXPECT_EQ(chain, "found");
}

TEST_F(ProcessSensorOnTheKernel, KnowsWhoAProcessWasThatIsGoneAlready) {
  const absl::StatusOr<platform::TinyRun> run = platform::RunTinyProgram();
  ASSERT_TRUE(run.ok());
  const auto found = sensor_.Find(run->pid, clock_->BootNanos());
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(found->executable.ends_with("/true")) << found->executable;
}

TEST_F(ProcessSensorOnTheKernel, MasksASecretBeforeItLeaves) {
  testing::MustRun({"/bin/true", "--password", "hunter2", "--host", "pms"});
  sensor_.Stop();
  bool seen = false;
  for (const RecordedEvent& recorded : sink_.Events()) {
    EXPECT_EQ(recorded.event.SerializeAsString().find("hunter2"), std::string::npos);
    const v1::ProcessStarted& start = recorded.event.process_started();
    seen = seen || (start.argv_size() == 5 && start.argv(1) == "--password" && start.argv(2) == "***");
  }
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace cordon::agent
