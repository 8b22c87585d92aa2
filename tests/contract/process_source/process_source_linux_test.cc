// What process sources of Linux promise beside the contract: folders, users, forks, signals, threads, storms.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "platform/api/process_source.h"
#include "tests/support/build_paths.h"
#include "tests/support/exec_storm.h"
#include "tests/support/process_recorder.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

using ::cordon::testing::ProcessRecorder;
using ::cordon::testing::Subprocess;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LinuxProcessSource : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root: the kernel tells nobody else about all processes";
  }
  void Start() {
    const absl::Status started = source_->Start([this](auto events) { recorder_.Take(events); });
    ASSERT_TRUE(started.ok()) << started;
    source_->Flush();
  }
  // Runs it to its end; returns its pid once its end was delivered.
  uint32_t Run(std::vector<std::string> args, testing::SubprocessOptions options = {}) {
    Subprocess child(std::move(args), std::move(options));
    const auto pid = static_cast<uint32_t>(child.Pid());
    EXPECT_TRUE(child.Wait().has_value());
    EXPECT_TRUE(recorder_.WaitForEndOf(pid));
    return pid;
  }

  ProcessRecorder recorder_;
  std::unique_ptr<ProcessSource> source_ = MakeProcessSource(GetParam());
};

// The canary comes every few seconds: a child with a copy of the agent's memory would cost a fault for each
// page that the agent writes to after it, dearer than all else that an idle agent does.
TEST(TinyProgram, LeavesTheMemoryOfItsMakerAsItIs) {
  constexpr long kPages = 2048;
  const long page = sysconf(_SC_PAGESIZE);
  const auto bytes = static_cast<size_t>(kPages * page);
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  madvise(memory, bytes, MADV_NOHUGEPAGE);  // each page counts
  const auto write_all = [&](char value) {
    for (long at = 0; at < kPages; ++at) static_cast<volatile char*>(memory)[at * page] = value;
  };
  const auto faults = [] {
    rusage use{};
    getrusage(RUSAGE_THREAD, &use);
    return use.ru_minflt;
  };
  write_all(1);
  const absl::StatusOr<TinyRun> run = RunTinyProgram();
  ASSERT_TRUE(run.ok()) << run.status();
  const long before = faults();
  write_all(2);
  EXPECT_LT(faults() - before, kPages / 2);
  munmap(memory, bytes);
}

// A core file of an agent that crashed is worth having, and the next canary is to be traced without a
// privilege.
TEST(TinyProgram, LeavesItsMakerDumpable) {
  ASSERT_EQ(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
  const absl::StatusOr<TinyRun> run = RunTinyProgram();
  ASSERT_TRUE(run.ok()) << run.status();
  if (!run->changed_privileges) GTEST_SKIP() << "may not change its group: nothing could make it undumpable";
  EXPECT_EQ(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
}

INSTANTIATE_TEST_SUITE_P(All, LinuxProcessSource, ::testing::Values("ebpf", "proc-connector"),
                         [](const auto& one) { return one.param == "ebpf" ? "Ebpf" : "ProcConnector"; });

TEST_P(LinuxProcessSource, SeesFolderUserAndControlGroup) {
  Start();
  // It lives until it was seen, so that also a source that asks /proc has time.
  Subprocess child({"/bin/sleep", "0.2"}, {.working_dir = "/usr"});
  const auto pid = static_cast<uint32_t>(child.Pid());
  ASSERT_EQ(child.Wait(), 0);
  ASSERT_TRUE(recorder_.WaitForEndOf(pid));
  const auto execs = recorder_.Of<RawExec>(pid);
  ASSERT_THAT(execs, SizeIs(::testing::Ge(1)));
  EXPECT_EQ(execs.back().executable, std::filesystem::canonical("/bin/sleep"));
  EXPECT_EQ(execs.back().cwd, "/usr");
  EXPECT_EQ(execs.back().uid, 0);
  EXPECT_TRUE(execs.back().cgroup.starts_with('/'));
}

// The arguments' area, with the program's name in it, up to the limit of the source and one byte beyond.
TEST_P(LinuxProcessSource, CutsArgumentsAtItsLimitAndSaysHowLongTheyWere) {
  Start();
  const uint32_t limit = GetParam() == "ebpf" ? 8'192 : 32'768;
  const auto run = [&](uint32_t area) {
    const std::string name = "/bin/sleep";
    const std::string seconds = "0.2";
    // sleep adds its arguments up: "0.2" and a zero with as many digits as it takes.
    const auto rest = area - (name.size() + 1) - (seconds.size() + 1) - 1;
    return recorder_.Of<RawExec>(Run({name, seconds, std::string(rest, '0')})).back();
  };
  const RawExec whole = run(limit);
  EXPECT_TRUE(whole.argv_complete);
  ASSERT_THAT(whole.argv, SizeIs(3));
  EXPECT_EQ(whole.argv[2].find_first_not_of('0'), std::string::npos);
  EXPECT_EQ(whole.argv_total_bytes, limit);
  const RawExec cut = run(limit + 1);
  EXPECT_FALSE(cut.argv_complete);
  ASSERT_THAT(cut.argv, SizeIs(3));
  EXPECT_EQ(cut.argv_total_bytes, limit + 1);
  EXPECT_EQ(cut.argv[2].size(), whole.argv[2].size() + 1) << "cut is the last NUL alone";
}

TEST_P(LinuxProcessSource, SeesAChildThatOnlyForks) {
  Start();
  const pid_t pid = fork();
  if (pid == 0) _exit(7);
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(recorder_.WaitForEndOf(static_cast<uint32_t>(pid)));
  const auto forks = recorder_.Of<RawFork>(static_cast<uint32_t>(pid));
  ASSERT_THAT(forks, SizeIs(1));
  EXPECT_EQ(forks[0].parent.pid, static_cast<uint32_t>(getpid()));
  EXPECT_THAT(recorder_.Of<RawExec>(static_cast<uint32_t>(pid)), IsEmpty());
  const auto ends = recorder_.Of<RawExit>(static_cast<uint32_t>(pid));
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].process, forks[0].child);
  EXPECT_EQ(ends[0].exit_code, 7);
}

// CLONE_PARENT: the kernel gives the child to its maker's parent.
TEST_P(LinuxProcessSource, TellsWhoMadeAChildAndNotWhoseItBecame) {
  if (GetParam() != "ebpf") GTEST_SKIP() << "the connector tells whose it became";
  Start();
  std::array<int, 2> made{};
  ASSERT_EQ(pipe(made.data()), 0);
  const pid_t maker = fork();
  if (maker == 0) {
    constexpr unsigned long kFlags = CLONE_PARENT | SIGCHLD;
    const auto child = static_cast<pid_t>(syscall(SYS_clone, kFlags, nullptr, nullptr, nullptr, nullptr));
    if (child != 0 && write(made[1], &child, sizeof child) != sizeof child) _exit(1);
    _exit(0);
  }
  pid_t child = -1;
  EXPECT_EQ(read(made[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  close(made[0]);
  close(made[1]);
  EXPECT_EQ(waitpid(maker, nullptr, 0), maker);
  ASSERT_EQ(waitpid(child, nullptr, 0), child) << "it is this process's";
  ASSERT_TRUE(recorder_.WaitForEndOf(static_cast<uint32_t>(child)));
  const auto forks = recorder_.Of<RawFork>(static_cast<uint32_t>(child));
  ASSERT_THAT(forks, SizeIs(1));
  EXPECT_EQ(forks[0].parent.pid, static_cast<uint32_t>(maker));
}

// 80 parts: more than eBPF's 64.
TEST_P(LinuxProcessSource, APathOfTooManyPartsIsToldWithoutItsBeginning) {
  if (GetParam() != "ebpf") GTEST_SKIP() << "the connector reads paths from /proc, whole";
  Start();
  const testing::TempFolder folder;
  std::filesystem::path deep = folder.Path();
  for (int i = 0; i < 80; ++i) deep /= "d";
  std::filesystem::create_directories(deep);
  std::filesystem::copy_file(testing::TinyProgram(), deep / "tiny");
  const auto execs = recorder_.Of<RawExec>(Run({(deep / "tiny").string()}, {.working_dir = deep}));
  ASSERT_THAT(execs, SizeIs(::testing::Ge(1)));
  EXPECT_TRUE(execs.back().executable.starts_with(".../d/d/")) << execs.back().executable;
  EXPECT_TRUE(execs.back().executable.ends_with("/d/tiny"));
  EXPECT_TRUE(execs.back().cwd.starts_with(".../d/d/")) << execs.back().cwd;
}

TEST_P(LinuxProcessSource, SeesTheSignalThatEndedIt) {
  Start();
  const auto ends = recorder_.Of<RawExit>(Run({"/bin/sh", "-c", "kill -9 $$"}));
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].exit_code, 0);
  EXPECT_EQ(ends[0].signal, SIGKILL);
}

TEST_P(LinuxProcessSource, SeesOneProcessWhenASecondThreadExecs) {
  Start();
  const std::string program = std::string(testing::kBinaryDir) + "/tests/process_thread_exec";
  const uint32_t pid = Run({program, "/bin/sleep", "0.1"});
  const auto execs = recorder_.Of<RawExec>(pid);
  ASSERT_THAT(execs, SizeIs(2));
  EXPECT_EQ(execs[0].process, execs[1].process);
  EXPECT_THAT(execs[1].argv, ElementsAre("/bin/sleep", "0.1"));
  EXPECT_THAT(recorder_.Of<RawExit>(pid), SizeIs(1));
}

TEST_P(LinuxProcessSource, MissesNobodyAndRepeatsNobodyWhoIsBornWhileItStarts) {
  std::jthread storm([] { testing::RunExecStorm(2000, "during-start", 1); });
  Start();
  storm.join();
  source_->Flush();
  std::set<ProcessKey> known;
  // Who was born before the source began to listen and ended before it looked around lives not through Start.
  std::optional<int64_t> listens_since;
  for (const RawProcessEvent& event : recorder_.Events()) {
    if (const auto* fork = std::get_if<RawFork>(&event.fact)) {
      if (!listens_since.has_value()) listens_since = fork->child.start_boottime_nanos;
      EXPECT_TRUE(known.insert(fork->child).second) << fork->child.pid << " was born twice";
    } else if (const auto* exec = std::get_if<RawExec>(&event.fact); exec != nullptr && exec->from_snapshot) {
      EXPECT_TRUE(known.insert(exec->process).second) << exec->process.pid << " is twice in the snapshot";
    } else if (exec != nullptr && listens_since.has_value() &&
               exec->process.start_boottime_nanos >= *listens_since) {
      EXPECT_TRUE(known.contains(exec->process)) << exec->process.pid << " was never born";
    }
  }
}

}  // namespace
}  // namespace cordon::platform
