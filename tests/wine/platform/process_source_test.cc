// platform/api/process_source.h on Windows' implementations.

#include "platform/api/process_source.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/wine/platform/wine.h"

namespace cordon::platform {
namespace {

using cordon::testing::Log;

template <typename Fact>
const Fact* FactOf(const RawProcessEvent& event) {
  return std::get_if<Fact>(&event.fact);
}

class WindowsProcessSource : public ::testing::Test {
 protected:
  void Start() {
    const absl::Status status = source_->Start(log_.Deliver());
    ASSERT_TRUE(status.ok()) << status;
    source_->Flush();
  }
  Log<RawProcessEvent> log_;
  std::unique_ptr<ProcessSource> source_ = MakeProcessSource("toolhelp");
};

TEST_F(WindowsProcessSource, GivesWhatRunsAlreadyOnceAndFirst) {
  Start();
  const uint32_t own = GetCurrentProcessId();
  int times = 0;
  for (const RawProcessEvent& event : log_.Events()) {
    const auto* const exec = FactOf<RawExec>(event);
    if (exec == nullptr || exec->process.pid != own) continue;
    ++times;
    EXPECT_TRUE(exec->from_snapshot);
    EXPECT_NE(exec->executable.find("windows_platform_test"), std::string::npos) << exec->executable;
    ASSERT_FALSE(exec->argv.empty());
  }
  EXPECT_EQ(times, 1);
}

TEST_F(WindowsProcessSource, SeesAProgramWithItsArgumentsParentAndExitCode) {
  Start();
  DWORD pid = 0;
  EXPECT_EQ(testing::Run(L"cmd /c \"ping -n 2 127.0.0.1 >nul & exit 42\"", &pid), 42);
  ASSERT_TRUE(log_.WaitFor([&](const RawProcessEvent& event) {
    const auto* const exit = FactOf<RawExit>(event);
    return exit != nullptr && exit->process.pid == pid;
  }));
  ProcessKey born;
  ProcessKey ended;
  for (const RawProcessEvent& event : log_.Events()) {
    if (const auto* const exec = FactOf<RawExec>(event); exec != nullptr && exec->process.pid == pid) {
      born = exec->process;
      EXPECT_FALSE(exec->from_snapshot);
      EXPECT_EQ(exec->parent.pid, GetCurrentProcessId());
      EXPECT_NE(std::ranges::find(exec->argv, "/c"), exec->argv.end());
    }
    if (const auto* const exit = FactOf<RawExit>(event); exit != nullptr && exit->process.pid == pid) {
      ended = exit->process;
      EXPECT_EQ(exit->exit_code, 42U);
    }
  }
  EXPECT_NE(born.pid, 0U);
  EXPECT_EQ(born, ended);
}

TEST_F(WindowsProcessSource, TheCanaryGoesThroughIt) {
  Start();
  const absl::StatusOr<TinyRun> run = RunTinyProgram();
  ASSERT_TRUE(run.ok()) << run.status();
  source_->Flush();
  const std::vector<RawProcessEvent> events = log_.Events();
  EXPECT_TRUE(std::ranges::any_of(events, [&](const RawProcessEvent& event) {
    const auto* const exec = FactOf<RawExec>(event);
    return exec != nullptr && exec->process.pid == run->pid;
  }));
}

TEST_F(WindowsProcessSource, DeliversNothingAfterStop) {
  Start();
  source_->Stop();
  const size_t before = log_.Events().size();
  ASSERT_TRUE(RunTinyProgram().ok());
  source_->Flush();
  EXPECT_EQ(log_.Events().size(), before);
}

TEST_F(WindowsProcessSource, SaysThatItIsAFallback) {
  EXPECT_TRUE(source_->Info().fallback);
  EXPECT_FALSE(source_->Info().limitations.empty());
  EXPECT_EQ(MakeProcessSource("ebpf"), nullptr);
}

TEST(WindowsProcessSources, TheBestOneThatWorksHereStarts) {
  const auto source = MakeProcessSource();
  const absl::Status started = source->Start([](auto) {});
  ASSERT_TRUE(started.ok()) << started;
  EXPECT_EQ(source->Info().name, testing::UnderWine() ? "toolhelp" : "etw");
  source->Stop();
}

}  // namespace
}  // namespace cordon::platform
