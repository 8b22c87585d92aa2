// What a source tells of the time when no agent ran, and of the registry.

#include <gtest/gtest.h>

#include <fstream>
#include <utility>

#include "agent/integrity/file_sensor.h"
#include "common/crypto/digest.h"
#include "platform/api/system.h"
#include "tests/fakes/fake_file_source.h"
#include "tests/fakes/fake_process_directory.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using cordon::testing::FakeFileSource;
using cordon::testing::FakeProcessDirectory;
using cordon::testing::LentFileSource;
using cordon::testing::RecordingSink;
using cordon::testing::TempFolder;
using platform::RawFileEvent;

class SourcesMemory : public ::testing::Test {
 protected:
  SourcesMemory() { policy_.add_watched_paths(folder_.Path().string()); }

  bool Told(const std::function<bool(const v1::FileChanged&)>& wanted) {
    return sink_.WaitFor(
        [&](const v1::Event& event) { return event.has_file_changed() && wanted(event.file_changed()); });
  }
  int64_t HoursAgo(int64_t hours) const {  // which may be before the boot
    constexpr int64_t kHour = 3600 * kNanosPerSecond;
    return clock_->BootNanos() - hours * kHour;
  }
  void SayOfRegistry(RawFileEvent::Kind kind, const std::string& path, platform::RegistryState state) {
    RawFileEvent event{.kind = kind, .is_directory = state.is_key, .path = path, .boottime_nanos = 1};
    event.registry = std::make_shared<const platform::RegistryState>(std::move(state));
    source_.Say(std::move(event));
  }

  TempFolder folder_, state_;
  std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  FakeFileSource source_, next_source_;
  FakeProcessDirectory processes_;
  RecordingSink sink_;
  v1::Policy policy_;
  int sources_made_ = 0;
  FileSensor sensor_{
      {.state_folder = state_.Path(), .settle = {.quiet_nanos = 20 * kNanosPerMilli}},
      [this] { return std::make_unique<LentFileSource>(sources_made_++ == 0 ? source_ : next_source_); },
      *clock_,
      processes_,
      sink_};
};

TEST_F(SourcesMemory, TheFirstSourceCatchesUpAndThoseOfLaterPoliciesDoNot) {
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  EXPECT_TRUE(source_.Watch().catch_up);
  EXPECT_EQ(source_.Watch().memory, state_.Path());
  ASSERT_TRUE(sensor_.SetPolicy(policy_).ok());
  EXPECT_FALSE(next_source_.Watch().catch_up);
  EXPECT_EQ(next_source_.Watch().memory, state_.Path());
}

TEST_F(SourcesMemory, AChangeFromBeforeHasItsTimeAndSaysThatNobodyWatched) {
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  std::ofstream(folder_ / "a") << "content";
  const int64_t then = clock_->WallNanos() - (clock_->BootNanos() - HoursAgo(50));
  source_.Say({.kind = RawFileEvent::kModified,
               .path = folder_ / "a",
               .boottime_nanos = HoursAgo(50),
               .while_away = true});
  ASSERT_TRUE(Told([&](const v1::FileChanged& change) {
    return change.path() == (folder_ / "a").string() && change.state().sha256() == Sha256("content") &&
           change.process_unknown_reason() == "it happened while the agent did not run";
  }));
  for (const auto& recorded : sink_.Events()) {
    if (recorded.event.has_file_changed()) {
      EXPECT_NEAR(static_cast<double>(recorded.time_unix_nanos), static_cast<double>(then), 1e9);
    }
  }
}

// The live watch begins first: what lies between comes twice.
TEST_F(SourcesMemory, WhatTheLiveWatchToldAsWellIsToldOnceAndAsOfNow) {
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  std::ofstream(folder_ / "a") << "content";
  const RawFileEvent live{
      .kind = RawFileEvent::kCreated, .path = folder_ / "a", .boottime_nanos = clock_->BootNanos()};
  RawFileEvent before = live;
  before.boottime_nanos -= kNanosPerSecond;
  before.while_away = true;
  source_.Say(live);
  source_.Say(before);
  sensor_.Stop();
  int told = 0;
  for (const auto& recorded : sink_.Events()) {
    if (!recorded.event.has_file_changed()) continue;
    ++told;
    EXPECT_EQ(recorded.event.file_changed().repeats(), 2U);
    EXPECT_NE(recorded.event.file_changed().process_unknown_reason(),
              "it happened while the agent did not run");
  }
  EXPECT_EQ(told, 1);
}

TEST_F(SourcesMemory, TEL1_WhatIsNotKnownOfTheTimeBeforeIsAGapAndAWalk) {
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  std::ofstream(folder_ / "a") << "content";
  source_.Say({.kind = RawFileEvent::kOverflow,
               .path = "C:/",
               .boottime_nanos = clock_->BootNanos(),
               .lost_since_boottime_nanos = HoursAgo(50),
               .lost_because = "the volume's journal was deleted and made anew",
               .while_away = true});
  EXPECT_TRUE(sink_.WaitFor([&](const v1::Event& event) {
    const v1::Gap& gap = event.gap();
    const int64_t length = gap.last_time_unix_nanos() - gap.first_time_unix_nanos();
    return gap.cause() == v1::Gap::CAUSE_AGENT_NOT_RUNNING && gap.count_unknown() &&
           length / kNanosPerSecond / 3600 == 50 &&
           gap.detail().starts_with(
               "file events were lost below C:/: the volume's journal was deleted and made anew; ");
  }));
  EXPECT_TRUE(Told([&](const v1::FileChanged& change) { return change.path().ends_with("/a"); }));
}

TEST_F(SourcesMemory, AnEntryOfTheRegistryIsToldAsTheSourceSawItWithSecretsMasked) {
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  const std::string run = "registry:HKLM/SOFTWARE/Microsoft/Windows/CurrentVersion/Run/";
  SayOfRegistry(RawFileEvent::kCreated, run + "Updater",
                {.size = 40, .sha256 = Sha256("data"), .text = "C:\\u.exe --password hunter2 /quiet"});
  ASSERT_TRUE(Told([&](const v1::FileChanged& change) { return change.path() == run + "Updater"; }));
  const v1::FileChanged change = sink_.Events().back().event.file_changed();
  EXPECT_EQ(change.change(), v1::FileChanged::CHANGE_CREATED);
  EXPECT_EQ(change.state().type(), v1::FileState::TYPE_REGISTRY_VALUE);
  EXPECT_EQ(change.state().size(), 40U);
  EXPECT_EQ(change.state().sha256(), Sha256("data"));
  EXPECT_EQ(change.state().link_target(), "C:\\u.exe --password *** /quiet");
  EXPECT_EQ(change.process_unknown_reason(), "Windows does not tell who changes the registry");
  EXPECT_EQ(change.hash_skipped_reason(), "");
}

TEST_F(SourcesMemory, AKeyOfTheRegistryIsAFolderAndADeletedOneHasNoState) {
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  SayOfRegistry(RawFileEvent::kCreated, "registry:HKLM/k/", {.is_key = true});
  SayOfRegistry(RawFileEvent::kDeleted, "registry:HKLM/gone", {.exists = false});
  sensor_.Stop();
  int told = 0;
  for (const auto& recorded : sink_.Events()) {
    const v1::FileChanged& change = recorded.event.file_changed();
    if (change.path() == "registry:HKLM/k/") {
      ++told;
      EXPECT_EQ(change.state().type(), v1::FileState::TYPE_DIRECTORY);
    }
    if (change.path() == "registry:HKLM/gone") {
      ++told;
      EXPECT_EQ(change.change(), v1::FileChanged::CHANGE_DELETED);
      EXPECT_FALSE(change.has_state());
    }
  }
  EXPECT_EQ(told, 2);
}

}  // namespace
}  // namespace cordon::agent
