// The file sensor on the real kernel: who changed what, also when the writer is gone; and its own proof.

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "agent/integrity/file_sensor.h"
#include "common/crypto/digest.h"
#include "platform/api/system.h"
#include "tests/fakes/fake_process_directory.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/soak.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using cordon::testing::FakeProcessDirectory;
using cordon::testing::RecordingSink;
using cordon::testing::TempFolder;

class FileEvents : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "fanotify needs root";
    v1::Policy policy;
    policy.add_watched_paths(folder_.Path().string());
    const absl::Status status = sensor_.Start(policy);
    ASSERT_TRUE(status.ok()) << status;
  }

  // Runs a shell that ends at once; its pid.
  static pid_t Shell(std::string command) {
    std::string shell = "sh";
    std::string option = "-c";
    char* argv[] = {shell.data(), option.data(), command.data(), nullptr};
    pid_t pid = 0;
    EXPECT_EQ(posix_spawn(&pid, "/bin/sh", nullptr, nullptr, argv, environ), 0);
    int status = 0;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
    return pid;
  }

  TempFolder folder_, state_;
  std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  FakeProcessDirectory processes_;
  RecordingSink sink_;
  FileSensor sensor_{{.state_folder = state_.Path(), .settle = {.quiet_nanos = 100 * kNanosPerMilli}},
                     platform::MakeFileSource,
                     *clock_,
                     processes_,
                     sink_};
};

TEST_F(FileEvents, OneShotWritersAreEachNamed) {
  const int kWriters = cordon::testing::StormCount(2'000, 10'000);
  std::map<std::string, pid_t> writers;
  for (int i = 0; i < kWriters; ++i) {
    const std::string path = (folder_ / std::to_string(i)).string();
    const pid_t pid = Shell("echo " + std::to_string(i) + " > " + path);
    writers[path] = pid;
    // As late as a busy process sensor would tell it.
    processes_.Started(static_cast<uint32_t>(pid),
                       {.guid = "guid" + std::to_string(i), .executable = "/bin/sh"});
  }
  const std::string last = (folder_ / std::to_string(kWriters - 1)).string();
  ASSERT_TRUE(sink_.WaitFor([&](const v1::Event& event) { return event.file_changed().path() == last; },
                            std::chrono::minutes(2)));
  sensor_.Stop();
  int named = 0;
  for (const auto& recorded : sink_.Events()) {
    ASSERT_FALSE(recorded.event.has_gap()) << recorded.event.gap().detail();
    const v1::FileChanged& change = recorded.event.file_changed();
    EXPECT_EQ(change.change(), v1::FileChanged::CHANGE_CREATED);
    const std::string number = change.path().substr(folder_.Path().string().size() + 1);
    EXPECT_EQ(change.pid(), static_cast<uint32_t>(writers.at(change.path())));
    EXPECT_EQ(change.process_guid(), "guid" + number);
    EXPECT_EQ(change.state().sha256(), Sha256(number + "\n"));
    ++named;
  }
  EXPECT_EQ(named, kWriters);
}

TEST_F(FileEvents, AnAtomicReplacementIsARenameWithTheNewContent) {
  Shell("echo old > " + (folder_ / "target").string());
  Shell("cd " + folder_.Path().string() + " && echo new > .temp && mv .temp target");
  EXPECT_TRUE(sink_.WaitFor([&](const v1::Event& event) {
    const v1::FileChanged& change = event.file_changed();
    return change.change() == v1::FileChanged::CHANGE_RENAMED &&
           change.path() == (folder_ / "target").string() &&
           change.old_path() == (folder_ / ".temp").string() && change.state().sha256() == Sha256("new\n");
  }));
}

TEST_F(FileEvents, TheProofGoesThroughTheRealPipelineAndIsNoEvent) {
  sensor_.Prove();
  EXPECT_TRUE(sensor_.State().serving) << sensor_.State().detail;
  EXPECT_NE(sensor_.State().last_proof_unix_nanos, 0);
  sensor_.Prove();
  EXPECT_TRUE(sensor_.State().serving) << sensor_.State().detail;
  sensor_.Stop();
  EXPECT_TRUE(sink_.Events().empty());
  EXPECT_FALSE(sensor_.State().serving);
}

TEST_F(FileEvents, HashingLeavesNoAccessTimeAndMakesNoEvents) {
  const std::string path = (folder_ / "a").string();
  Shell("echo 1 > " + path + " && touch -a -d 2001-01-01 " + path);
  ASSERT_TRUE(sink_.WaitFor([&](const v1::Event& event) { return event.file_changed().path() == path; }));
  Shell("test \"$(stat -c %X " + path + ")\" = \"$(date -d 2001-01-01 +%s)\"");
  sensor_.Stop();
  EXPECT_EQ(sink_.Events().size(), 2U);  // the shell's creation and touch's change of attributes
}

}  // namespace
}  // namespace cordon::agent
