// TEL-1: a real overflow of the kernel's own queue of file events, made by a sensor that stands still.

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "agent/integrity/file_sensor.h"
#include "common/base/strings.h"
#include "platform/api/system.h"
#include "platform/linux/files/fanotify_source.h"
#include "tests/fakes/fake_process_directory.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/temp_folder.h"

namespace cordon {
namespace {

using cordon::testing::RecordingSink;
using cordon::testing::TempFolder;

std::atomic<bool> holding = false;
std::atomic<size_t> held = 0;

// A thread that gets the signal stands still until it may go on.
void StandStill(int /*signal*/) {
  ++held;
  constexpr timespec kMillisecond = {0, 1'000'000};
  while (holding) nanosleep(&kMillisecond, nullptr);
}

// A sanitizer's own thread blocks every signal.
bool TakesTheSignal(const std::filesystem::path& thread) {
  std::ifstream status(thread / "status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("SigBlk:"))
      return (std::stoull(line.substr(7), nullptr, 16) >> (SIGUSR1 - 1) & 1) == 0;
  }
  return false;
}

std::set<pid_t> Threads() {
  std::set<pid_t> threads;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    if (TakesTheSignal(entry.path())) threads.insert(std::stoi(entry.path().filename().string()));
  }
  return threads;
}

void Hold(const std::set<pid_t>& threads) {
  held = 0;
  holding = true;
  for (const pid_t thread : threads) syscall(SYS_tgkill, getpid(), thread, SIGUSR1);
  while (held < threads.size()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// By another process: a sensor passes over what its own process does.
void MakeFolders(const std::filesystem::path& where, const std::string& prefix, int count) {
  const std::string command =
      StrCat("cd ", where.string(), " && seq -f '", prefix, "%.0f' ", count, " | xargs mkdir");
  ASSERT_EQ(std::system(command.c_str()), 0);
}

bool TellsOf(const v1::Event& event, const std::string& name) {
  return event.file_changed().path().ends_with(name);
}

TEST(FileOverflow, TEL1_ARealOverflowIsAGapOfUnknownSizeWithItsTimesAndTheSensorGoesOn) {
  if (geteuid() != 0) GTEST_SKIP() << "fanotify needs root";
  int queue = 0;
  std::ifstream("/proc/sys/fs/fanotify/max_queued_events") >> queue;
  ASSERT_GT(queue, 0);
  constexpr std::chrono::minutes kPatience(2);
  const TempFolder folder;
  const TempFolder state;
  const auto clock = platform::MakeSystemClock();
  const testing::FakeProcessDirectory processes;
  RecordingSink sink;
  const auto is_gap = [](const v1::Event& event) { return event.has_gap(); };
  ASSERT_NE(std::signal(SIGUSR1, StandStill), SIG_ERR);

  const std::set<pid_t> before = Threads();
  const int64_t begun = clock->WallNanos();
  agent::FileSensor sensor(
      {.state_folder = state.Path(),
       .settle = {.quiet_nanos = kNanosPerMilli},
       .process_wait = std::chrono::milliseconds(0)},
      [] { return platform::MakeFileSource(); }, *clock, processes, sink);
  v1::Policy policy;
  policy.add_watched_paths(folder.Path().string());
  ASSERT_TRUE(sensor.Start(policy).ok());
  MakeFolders(folder.Path(), "before", 1);
  ASSERT_TRUE(sink.WaitFor([](const v1::Event& event) { return TellsOf(event, "before1"); }, kPatience));
  ASSERT_FALSE(sink.WaitFor(is_gap, std::chrono::milliseconds(0)));  // the positive control

  std::set<pid_t> threads = Threads();
  for (const pid_t thread : before) threads.erase(thread);
  ASSERT_FALSE(threads.empty());
  Hold(threads);
  MakeFolders(folder.Path(), "fits", queue);
  const int64_t full = clock->WallNanos();  // at the latest: others write on the same file system
  MakeFolders(folder.Path(), "lost", 2'000);
  const int64_t last_lost = clock->WallNanos();
  holding = false;

  ASSERT_TRUE(sink.WaitFor(is_gap, kPatience));
  v1::Gap gap;
  for (const testing::RecordedEvent& recorded : sink.Events()) {
    if (!recorded.event.has_gap()) continue;
    gap = recorded.event.gap();
    EXPECT_EQ(recorded.event_class, v1::EVENT_CLASS_CONTROL);
    break;
  }
  EXPECT_EQ(gap.cause(), v1::Gap::CAUSE_KERNEL_BUFFER_FULL);
  EXPECT_EQ(gap.event_class(), v1::EVENT_CLASS_FILE);
  EXPECT_TRUE(gap.count_unknown());
  EXPECT_EQ(gap.count(), 0U);
  EXPECT_NE(gap.detail().find(folder.Path().string()), std::string::npos);
  // The window holds all that was lost.
  EXPECT_GE(gap.first_time_unix_nanos(), begun);
  EXPECT_LE(gap.first_time_unix_nanos(), full);
  EXPECT_GE(gap.last_time_unix_nanos(), last_lost);

  // What the queue did not hold is found by the walk, each of it.
  std::set<std::string> untold;
  for (int i = 1; i <= 2'000; ++i) untold.insert((folder / StrCat("lost", i)).string());
  EXPECT_TRUE(sink.WaitFor(
      [&](const v1::Event& event) { return untold.erase(event.file_changed().path()), untold.empty(); },
      kPatience))
      << untold.size() << " were lost for good, as " << *untold.begin();

  MakeFolders(folder.Path(), "after", 1);
  EXPECT_TRUE(sink.WaitFor([](const v1::Event& event) { return TellsOf(event, "after1"); }, kPatience));
  sensor.Stop();
}

}  // namespace
}  // namespace cordon
