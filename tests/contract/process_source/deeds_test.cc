// What processes do beside starting and ending, as every source of this system tells it: real programs on the
// real kernel.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "platform/api/process_source.h"
#include "tests/support/build_paths.h"
#include "tests/support/exec_storm.h"
#include "tests/support/process_recorder.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

using ::cordon::testing::ProcessRecorder;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A copy of this process that does something and ends with what it returns.
class Child {
 public:
  explicit Child(const std::function<int()>& deed) : pid_(fork()) {
    if (pid_ == 0) _exit(deed());
  }
  ~Child() {
    if (ended_) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  pid_t Pid() const { return pid_; }
  int Wait() {
    int status = -1;
    ended_ = waitpid(pid_, &status, 0) == pid_;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_;
  bool ended_ = false;
};

int Sleep() {
  pause();
  return 0;
}

class ProcessDeeds : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root: the kernel tells nobody else about all processes";
    const absl::Status started = source_->Start([this](auto events) { recorder_.Take(events); });
    ASSERT_TRUE(started.ok()) << started;
    source_->Flush();
  }

  template <typename Fact>
  std::vector<Fact> Told(const Child& child) {
    source_->Flush();
    return recorder_.Of<Fact>(static_cast<uint32_t>(child.Pid()));
  }

  ProcessRecorder recorder_;
  std::unique_ptr<ProcessSource> source_ = MakeProcessSource(GetParam());
};

INSTANTIATE_TEST_SUITE_P(All, ProcessDeeds, ::testing::Values("ebpf", "proc-connector"),
                         [](const auto& one) { return one.param == "ebpf" ? "Ebpf" : "ProcConnector"; });

TEST_P(ProcessDeeds, AChildThatGivesUpRootIsTold) {
  ASSERT_TRUE(source_->Info().tells_privilege_changes);
  Child child(
      [] { return setresgid(65'534, 65'534, 65'534) == 0 && setresuid(1234, 1234, 1234) == 0 ? 0 : 1; });
  ASSERT_EQ(child.Wait(), 0);
  const auto changes = Told<RawPrivilegeChange>(child);
  ASSERT_THAT(changes, SizeIs(2));
  EXPECT_EQ(changes[0].after.gid, 65'534);
  EXPECT_EQ(changes[1].after.uid, 1234);
}

TEST_P(ProcessDeeds, AChangeOfOneThreadAloneIsTold) {
  Child child([] { return syscall(SYS_setresuid, -1, 1234, -1) == 0 ? 0 : 1; });
  ASSERT_EQ(child.Wait(), 0);
  const auto changes = Told<RawPrivilegeChange>(child);
  ASSERT_THAT(changes, SizeIs(1));
  EXPECT_EQ(changes[0].after.uid, 1234);
}

TEST_P(ProcessDeeds, AProgramThatChangesNothingIsNotTold) {
  Child child([] { return setresuid(0, 0, 0); });
  ASSERT_EQ(child.Wait(), 0);
  EXPECT_THAT(Told<RawPrivilegeChange>(child), IsEmpty());
}

TEST_P(ProcessDeeds, TheOrderOfDeedsIsTheOneInWhichTheyHappened) {
  const std::string tiny = testing::TinyProgram();
  Child child([&] {
    if (setresgid(99, 99, 99) != 0) return 1;
    execl(tiny.c_str(), "storm", nullptr);
    return 2;
  });
  ASSERT_EQ(child.Wait(), 0);
  source_->Flush();
  std::string order;
  for (const RawProcessEvent& event : recorder_.Events()) {
    const auto pid = static_cast<uint32_t>(child.Pid());
    if (const auto* fork = std::get_if<RawFork>(&event.fact); fork != nullptr && fork->child.pid == pid)
      order += 'f';
    if (const auto* change = std::get_if<RawPrivilegeChange>(&event.fact);
        change != nullptr && change->process.pid == pid)
      order += 'p';
    if (const auto* exec = std::get_if<RawExec>(&event.fact); exec != nullptr && exec->process.pid == pid)
      order += 's';
    if (const auto* exit = std::get_if<RawExit>(&event.fact); exit != nullptr && exit->process.pid == pid)
      order += 'e';
  }
  EXPECT_EQ(order, "fpse");
}

TEST_P(ProcessDeeds, ATracerThatAttachesIsTold) {
  ASSERT_TRUE(source_->Info().tells_traces);
  Child target(Sleep);
  ASSERT_EQ(ptrace(PTRACE_ATTACH, target.Pid(), nullptr, nullptr), 0);
  ASSERT_EQ(waitpid(target.Pid(), nullptr, __WALL), target.Pid());
  ASSERT_EQ(ptrace(PTRACE_DETACH, target.Pid(), nullptr, nullptr), 0);
  const auto traces = Told<RawTrace>(target);
  ASSERT_THAT(traces, SizeIs(1));
  EXPECT_EQ(traces[0].tracer.pid, static_cast<uint32_t>(getpid()));
}

TEST_P(ProcessDeeds, ATracerThatSeizesIsTold) {
  Child target(Sleep);
  ASSERT_EQ(ptrace(PTRACE_SEIZE, target.Pid(), nullptr, nullptr), 0);
  EXPECT_THAT(Told<RawTrace>(target), SizeIs(1));
}

TEST_P(ProcessDeeds, AProgramThatAsksToBeTracedByItsParentIsNotTold) {
  Child target([] {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return 1;
    raise(SIGSTOP);
    return 0;
  });
  int status = 0;
  ASSERT_EQ(waitpid(target.Pid(), &status, 0), target.Pid());
  ASSERT_TRUE(WIFSTOPPED(status)) << "it is traced";
  EXPECT_THAT(Told<RawTrace>(target), IsEmpty());
}

TEST_P(ProcessDeeds, ATracerThatTheKernelRefusesIsNotTold) {
  Child target(Sleep);
  Child tracer([&] {
    if (setresuid(1234, 1234, 1234) != 0) return 2;
    return ptrace(PTRACE_SEIZE, target.Pid(), nullptr, nullptr) == 0 ? 1 : 0;
  });
  ASSERT_EQ(tracer.Wait(), 0) << "it was refused";
  EXPECT_THAT(Told<RawTrace>(target), IsEmpty());
}

// Starts `program` out of memory, with these arguments.
int ExecFromMemory(const std::string& program, std::vector<char*> argv) {
  const int from = open(program.c_str(), O_RDONLY | O_CLOEXEC);
  const int memory = memfd_create("hidden", MFD_CLOEXEC);
  struct stat facts{};
  if (from < 0 || memory < 0 || fstat(from, &facts) != 0) return 1;
  if (sendfile(memory, from, nullptr, static_cast<size_t>(facts.st_size)) != facts.st_size) return 2;
  char* no_environment = nullptr;
  syscall(SYS_execveat, memory, "", argv.data(), &no_environment, AT_EMPTY_PATH);
  return 3;
}

TEST_P(ProcessDeeds, AProgramOutOfMemoryIsToldAsSuch) {
  std::string name = "sleep";
  std::string seconds = "0.2";  // until a source that asks /proc has looked
  const std::string sleep = std::filesystem::canonical("/bin/sleep");
  Child child([&] { return ExecFromMemory(sleep, {name.data(), seconds.data(), nullptr}); });
  ASSERT_EQ(child.Wait(), 0);
  ASSERT_TRUE(recorder_.WaitForEndOf(static_cast<uint32_t>(child.Pid())));
  const auto execs = Told<RawExec>(child);
  ASSERT_THAT(execs, SizeIs(1));
  EXPECT_TRUE(execs[0].from_memory);
  EXPECT_EQ(execs[0].executable, "/memfd:hidden");
}

TEST_P(ProcessDeeds, AProgramWhoseFileWasDeletedIsToldAsSuchAndOneOnDiskIsNot) {
  const testing::TempFolder folder;
  const std::filesystem::path copy = folder / "copy";
  std::filesystem::copy_file(std::filesystem::canonical("/bin/sleep"), copy);
  const auto run = [&](bool deleted) {
    const int file = open(copy.c_str(), O_RDONLY | O_CLOEXEC);
    if (deleted) std::filesystem::remove(copy);
    Child child([&] {
      std::string name = "sleep";
      std::string seconds = "0.2";
      std::vector<char*> argv{name.data(), seconds.data(), nullptr};
      char* no_environment = nullptr;
      syscall(SYS_execveat, file, "", argv.data(), &no_environment, AT_EMPTY_PATH);
      return 1;
    });
    EXPECT_EQ(child.Wait(), 0);
    close(file);
    EXPECT_TRUE(recorder_.WaitForEndOf(static_cast<uint32_t>(child.Pid())));
    const auto execs = Told<RawExec>(child);
    return execs.size() == 1 && execs[0].from_memory;
  };
  EXPECT_FALSE(run(false));
  EXPECT_TRUE(run(true));
}

}  // namespace
}  // namespace cordon::platform
