// On this system with a source and a trace that the test speaks for; with Windows' own under wine
// (tests/wine/platform).

#include "platform/windows/files/named_source.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/fakes/fake_file_source.h"

namespace cordon::platform {
namespace {

using cordon::testing::FakeFileSource;
using cordon::testing::LentFileSource;
using namespace std::chrono_literals;

// Knows of each path who made it, once somebody has asked it to hurry.
class FakeTrace final : public FileTrace {
 public:
  struct State {
    absl::Status start;
    std::atomic<bool> follows = true;
    std::atomic<int> hurried = 0;
    std::atomic<bool> stopped = false;
    std::atomic<uint32_t> doer = 42;
  };
  explicit FakeTrace(State& state) : state_(state) {}

  absl::Status Start(const FileWatch&) override { return state_.start; }
  void Stop() override { state_.stopped = true; }
  void Hurry() override { ++state_.hurried; }
  std::optional<FileDoer> Find(const RawFileEvent& event) const override {
    if (state_.hurried == 0 || state_.doer == 0 || event.kind == RawFileEvent::kOverflow) return std::nullopt;
    return FileDoer{.pid = state_.doer, .boottime_nanos = event.boottime_nanos - 1};
  }
  bool Follows() const override { return state_.follows; }

 private:
  State& state_;
};

class NamedSourceTest : public ::testing::Test {
 protected:
  void Start() { ASSERT_TRUE(Begin().ok()); }
  absl::Status Begin() {
    return source_->Start({}, [this](std::span<RawFileEvent> events) {
      const std::lock_guard lock(mutex_);
      told_.insert(told_.end(), events.begin(), events.end());
    });
  }
  std::vector<RawFileEvent> Told() {
    const std::lock_guard lock(mutex_);
    return told_;
  }
  std::vector<RawFileEvent> WaitFor(size_t count) {
    for (int round = 0; round < 500 && Told().size() < count; ++round) std::this_thread::sleep_for(10ms);
    return Told();
  }
  std::string Limitations() const {
    std::string all;
    for (const std::string& each : source_->Info().limitations) all += each;
    return all;
  }

  FakeFileSource files_;
  FakeTrace::State trace_;
  std::mutex mutex_;
  std::vector<RawFileEvent> told_;
  std::unique_ptr<FileSource> source_ =
      MakeNamedSource(std::make_unique<LentFileSource>(files_), std::make_unique<FakeTrace>(trace_), 20ms);
};

TEST_F(NamedSourceTest, ChangesGetTheProcessThatTheTraceTellsOf) {
  Start();
  files_.SetNow(1'000);
  files_.Created("C:/a", 0);
  files_.Modified("C:/b", 0);
  const std::vector<RawFileEvent> told = WaitFor(2);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].path, "C:/a") << "in their order";
  EXPECT_EQ(told[0].pid, 42U);
  EXPECT_EQ(told[0].boottime_nanos, 999) << "when the process did it";
  EXPECT_EQ(told[1].pid, 42U);
  EXPECT_GT(trace_.hurried, 0) << "the trace comes after the change";
  EXPECT_NE(Limitations().find("as far as the kernel's trace has it"), std::string::npos) << Limitations();
}

TEST_F(NamedSourceTest, WhatTheTraceDoesNotKnowIsToldWithoutAProcess) {
  Start();
  files_.SetNow(1'000);
  trace_.doer = 0;
  files_.Created("C:/a", 0);
  files_.Overflowed("C:/");
  const std::vector<RawFileEvent> told = WaitFor(2);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].pid, 0U);
  EXPECT_EQ(told[0].boottime_nanos, 1'000);
  EXPECT_EQ(told[1].kind, RawFileEvent::kOverflow);
}

TEST_F(NamedSourceTest, WithoutATraceChangesPassAtOnceAndInfoSaysWhy) {
  trace_.start = absl::UnavailableError("no session");
  Start();
  files_.Created("C:/a", 0);
  EXPECT_EQ(Told().size(), 1U) << "nothing is held";
  EXPECT_EQ(Told().front().pid, 0U);
  EXPECT_NE(Limitations().find("Who changed a file is not known (no session)."), std::string::npos)
      << Limitations();
}

TEST_F(NamedSourceTest, ATraceThatWasEndedHoldsNothingUpAndInfoSaysSo) {
  source_ =
      MakeNamedSource(std::make_unique<LentFileSource>(files_), std::make_unique<FakeTrace>(trace_), 1h);
  trace_.follows = false;
  Start();
  files_.Created("C:/a", 0);
  EXPECT_EQ(WaitFor(1).size(), 1U);
  EXPECT_NE(Limitations().find("the kernel's trace was ended"), std::string::npos) << Limitations();
}

TEST_F(NamedSourceTest, WhatHappenedBeforeTheStartIsNotHeld) {
  source_ =
      MakeNamedSource(std::make_unique<LentFileSource>(files_), std::make_unique<FakeTrace>(trace_), 1h);
  Start();
  files_.Say({.kind = RawFileEvent::kModified, .path = "C:/a", .while_away = true});
  EXPECT_EQ(WaitFor(1).size(), 1U);
}

TEST_F(NamedSourceTest, TEL1_StopTellsWhatIsHeldAndThenNothing) {
  Start();
  for (int at = 0; at < 1'000; ++at) files_.Created("C:/" + std::to_string(at), 0);
  source_->Stop();
  EXPECT_EQ(Told().size(), 1'000U);
  EXPECT_TRUE(trace_.stopped);
  EXPECT_FALSE(files_.Running());
  source_->Stop();
}

TEST_F(NamedSourceTest, TEL1_MoreThanIsHeldWaitsAndIsNotDropped) {
  Start();
  constexpr size_t kMany = 40'000;
  for (size_t at = 0; at < kMany; ++at) files_.Created("C:/a", 0);
  EXPECT_EQ(WaitFor(kMany).size(), kMany);
}

TEST_F(NamedSourceTest, WhenTheFilesCannotBeWatchedTheTraceEndsToo) {
  files_.StartFailsWith(absl::PermissionDeniedError("C:/a"));
  EXPECT_TRUE(absl::IsPermissionDenied(Begin()));
  EXPECT_TRUE(trace_.stopped);
}

}  // namespace
}  // namespace cordon::platform
