// What every process source promises (platform/api/process_source.h), on each one of this system.

#include "platform/api/process_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/process_source/sources.h"
#include "tests/support/native.h"
#include "tests/support/process_recorder.h"

namespace cordon::platform {
namespace {

using ::cordon::testing::ChildProgram;
using ::cordon::testing::Errand;
using ::cordon::testing::ProcessRecorder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// A source that looks from time to time sees who lives as long.
constexpr const char* kSeenMillis = "600";

class ProcessSourceContract : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const std::string why = testing::WhyNotHere(GetParam()); !why.empty()) GTEST_SKIP() << why;
  }
  void Start() {
    const absl::Status started = source_->Start([this](auto events) { recorder_.Take(events); });
    ASSERT_TRUE(started.ok()) << started;
    source_->Flush();
  }

  ProcessRecorder recorder_;
  std::unique_ptr<ProcessSource> source_ = MakeProcessSource(GetParam());
};

// "proc-connector" is ProcConnector.
std::string CaseName(const ::testing::TestParamInfo<std::string>& one) {
  std::string name;
  bool capital = true;
  for (const char each : one.param) {
    if (each != '-') name += capital ? static_cast<char>(each - 'a' + 'A') : each;
    capital = each == '-';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, ProcessSourceContract, ::testing::ValuesIn(testing::ProcessSourceNames()),
                         CaseName);

TEST_P(ProcessSourceContract, SeesAProgramWithItsArgumentsItsParentAndItsEnd) {
  Start();
  ChildProgram child(Errand(), {"exit", "42", kSeenMillis, "an argument", ""});
  ASSERT_EQ(child.Wait(), 42);
  ASSERT_TRUE(recorder_.WaitForEndOf(child.Pid()));
  const auto forks = recorder_.Of<RawFork>(child.Pid());
  ASSERT_THAT(forks, SizeIs(1));
  EXPECT_EQ(forks[0].parent.pid, OwnPid());
  const auto execs = recorder_.Of<RawExec>(child.Pid());
  ASSERT_THAT(execs, SizeIs(1));
  EXPECT_EQ(execs[0].process, forks[0].child);
  EXPECT_EQ(execs[0].parent.pid, OwnPid());
  EXPECT_THAT(execs[0].argv, ElementsAre(Errand().string(), "exit", "42", kSeenMillis, "an argument", ""));
  EXPECT_TRUE(execs[0].argv_complete);
  EXPECT_EQ(std::filesystem::path(execs[0].executable), std::filesystem::canonical(Errand()));
  EXPECT_FALSE(execs[0].from_snapshot);
  EXPECT_FALSE(execs[0].from_memory);
  const auto ends = recorder_.Of<RawExit>(child.Pid());
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].process, forks[0].child);
  EXPECT_EQ(ends[0].exit_code, 42U);
  EXPECT_EQ(ends[0].signal, 0U);
}

TEST_P(ProcessSourceContract, GivesWhatRunsAlreadyOnceAndFirst) {
  ChildProgram before(Errand(), {"sleep", "60000"});
  Start();
  const auto execs = recorder_.Of<RawExec>(before.Pid());
  ASSERT_THAT(execs, SizeIs(1));
  EXPECT_TRUE(execs[0].from_snapshot);
  EXPECT_THAT(execs[0].argv, ElementsAre(Errand().string(), "sleep", "60000"));
  EXPECT_THAT(recorder_.Of<RawFork>(before.Pid()), IsEmpty());
  EXPECT_THAT(recorder_.Of<RawExec>(OwnPid()), SizeIs(1));
  before.Kill();
  ASSERT_TRUE(recorder_.WaitForEndOf(before.Pid()));
  const auto ends = recorder_.Of<RawExit>(before.Pid());
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].process, execs[0].process);
}

TEST_P(ProcessSourceContract, WhoIsBornWhileItStartsAndLivesOnIsToldOnce) {
  std::vector<std::unique_ptr<ChildProgram>> children;
  std::thread births([&] {
    for (int i = 0; i < 8; ++i)
      children.push_back(
          std::make_unique<ChildProgram>(Errand(), std::vector<std::string>{"sleep", "60000"}));
  });
  Start();
  births.join();
  source_->Flush();
  for (const auto& child : children) {
    const auto execs = recorder_.Of<RawExec>(child->Pid());
    const auto snapshots = std::ranges::count_if(execs, &RawExec::from_snapshot);
    EXPECT_THAT(execs, Not(IsEmpty()));
    EXPECT_EQ(static_cast<size_t>(snapshots) + recorder_.Of<RawFork>(child->Pid()).size(), 1U);
  }
}

TEST_P(ProcessSourceContract, DeliversWhatHappenedBeforeAFlushIsAsked) {
  Start();
  const absl::StatusOr<TinyRun> run = RunTinyProgram();
  ASSERT_TRUE(run.ok()) << run.status();
  source_->Flush();
  EXPECT_THAT(recorder_.Of<RawExec>(run->pid), SizeIs(1));
  EXPECT_THAT(recorder_.Of<RawExit>(run->pid), SizeIs(1));
}

TEST_P(ProcessSourceContract, DeliversNothingAfterStop) {
  Start();
  source_->Stop();
  const size_t before = recorder_.Events().size();
  ASSERT_TRUE(RunTinyProgram().ok());
  source_->Flush();
  EXPECT_EQ(recorder_.Events().size(), before);
}

TEST_P(ProcessSourceContract, TellsItsNameAndWhatItCannotSee) {
  Start();
  EXPECT_EQ(source_->Info().name, GetParam());
  if (source_->Info().fallback) {
    EXPECT_THAT(source_->Info().limitations, Not(IsEmpty()));
  }
}

TEST(ProcessSources, TheBestOneThatWorksHereStarts) {
  std::string best;
  std::string why;
  for (const std::string& name : testing::ProcessSourceNames()) {
    if (best.empty() && testing::WhyNotHere(name).empty()) best = name;
    if (why.empty()) why = testing::WhyNotHere(name);
  }
  if (best.empty()) GTEST_SKIP() << why;
  const auto source = MakeProcessSource();
  const absl::Status started = source->Start([](auto) {});
  ASSERT_TRUE(started.ok()) << started;
  EXPECT_EQ(source->Info().name, best);
  EXPECT_EQ(source->Info().fallback, best != testing::ProcessSourceNames().front());
  source->Stop();
}

TEST(ProcessSources, AnUnknownNameIsNoSource) {
  EXPECT_EQ(MakeProcessSource("sysmon"), nullptr);
}

}  // namespace
}  // namespace cordon::platform
