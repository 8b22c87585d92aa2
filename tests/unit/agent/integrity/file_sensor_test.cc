#include "agent/integrity/file_sensor.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

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
using cordon::testing::RecordingSink;
using cordon::testing::TempFolder;

// Lends the sensor a fake that the test keeps.
class LentSource final : public platform::FileSource {
 public:
  explicit LentSource(FakeFileSource& fake) : fake_(fake) {}
  absl::Status Start(const platform::FileWatch& watch,
                     std::function<void(std::span<platform::RawFileEvent>)> deliver) override {
    return fake_.Start(watch, std::move(deliver));
  }
  void Stop() override { fake_.Stop(); }
  platform::FileSourceInfo Info() const override { return fake_.Info(); }

 private:
  FakeFileSource& fake_;
};

class FileSensorTest : public ::testing::Test {
 protected:
  FileSensorTest() {
    source_.SetNow(clock_->BootNanos());
    policy_.add_watched_paths(folder_.Path().string());
  }

  std::string File(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name) << content;
    return folder_ / name;
  }

  bool Told(const std::function<bool(const v1::FileChanged&)>& wanted) {
    return sink_.WaitFor(
        [&](const v1::Event& event) { return event.has_file_changed() && wanted(event.file_changed()); });
  }

  TempFolder folder_, state_;
  std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  FakeFileSource source_;
  FakeFileSource next_source_;
  FakeProcessDirectory processes_;
  RecordingSink sink_;
  v1::Policy policy_;
  int sources_made_ = 0;
  FileSensor sensor_{
      {.state_folder = state_.Path(),
       .settle = {.quiet_nanos = 20 * kNanosPerMilli},
       .max_hash_bytes = 1000,
       .process_wait = std::chrono::milliseconds(300),
       .proof_wait = std::chrono::milliseconds(300)},
      [this] { return std::make_unique<LentSource>(sources_made_++ == 0 ? source_ : next_source_); },
      *clock_,
      processes_,
      sink_};
};

TEST_F(FileSensorTest, AChangeHasStateHashAndProcess) {
  processes_.Started(42, {.guid = "0123456789abcdef", .executable = "/usr/bin/vi"});
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  const std::string path = File("a", "content");
  source_.Created(path, 42);
  ASSERT_TRUE(Told([&](const v1::FileChanged& change) {
    return change.change() == v1::FileChanged::CHANGE_CREATED && change.path() == path &&
           change.state().sha256() == Sha256("content") && change.state().size() == 7 &&
           change.process_guid() == "0123456789abcdef" && change.executable() == "/usr/bin/vi";
  }));
}

TEST_F(FileSensorTest, AProcessThatIsToldLateIsStillNamed) {
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  source_.Created(File("first", "x"), 42);
  source_.Created(File("unknown", "x"), 43);
  // 43 is never told: when its event is there, the sensor has asked for 42 many times.
  processes_.Started(42, {.guid = "0123456789abcdef", .executable = ""});
  EXPECT_TRUE(Told([](const v1::FileChanged& change) {
    return change.pid() == 43 && change.process_guid().empty() && !change.process_unknown_reason().empty();
  }));
  EXPECT_TRUE(Told([](const v1::FileChanged& change) {
    return change.pid() == 42 && !change.process_guid().empty() && change.process_unknown_reason().empty();
  }));
}

TEST_F(FileSensorTest, WhatCannotBeHashedSaysWhy) {
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  source_.Created(File("long", std::string(1001, 'x')), 0);
  ASSERT_EQ(mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  source_.Created(folder_ / "fifo", 0);
  source_.Modified(folder_ / "gone", 0);
  EXPECT_TRUE(Told([](const v1::FileChanged& change) {
    return change.path().ends_with("/long") && change.state().size() == 1001 &&
           change.state().sha256().empty() && change.hash_skipped_reason().starts_with("longer than");
  }));
  EXPECT_TRUE(Told([](const v1::FileChanged& change) {
    return change.path().ends_with("/fifo") && change.state().type() == v1::FileState::TYPE_OTHER;
  }));
  EXPECT_TRUE(Told([](const v1::FileChanged& change) {
    return change.path().ends_with("/gone") && !change.has_state() && !change.hash_skipped_reason().empty();
  }));
}

TEST_F(FileSensorTest, ANameThatIsNoUtf8IsEscaped) {
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  source_.Created((folder_ / "bad\xff").string(), 0);
  EXPECT_TRUE(Told([](const v1::FileChanged& change) { return change.path().ends_with("/bad\\xff"); }));
}

TEST_F(FileSensorTest, ANewPolicyReplacesTheSourceAndABadOneDoesNot) {
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  v1::Policy bad = policy_;
  bad.add_watched_paths("relative");
  EXPECT_FALSE(sensor_.SetPolicy(bad).ok());
  EXPECT_TRUE(source_.Running());
  next_source_.StartFailsWith(absl::UnavailableError("no such file system"));
  EXPECT_FALSE(sensor_.SetPolicy(policy_).ok());
  EXPECT_TRUE(source_.Running());
  next_source_.StartFailsWith(absl::OkStatus());
  policy_.add_excluded_paths("*.swp");
  EXPECT_TRUE(sensor_.SetPolicy(policy_).ok());
  EXPECT_FALSE(source_.Running());
  next_source_.Created(folder_ / "a.swp", 0);
  next_source_.Created(folder_ / "b", 0);
  ASSERT_TRUE(Told([](const v1::FileChanged& change) { return change.path().ends_with("/b"); }));
  for (const auto& recorded : sink_.Events())
    EXPECT_FALSE(recorded.event.file_changed().path().ends_with(".swp"));
}

TEST_F(FileSensorTest, ASensorThatCannotStartSaysSoInTheStream) {
  source_.StartFailsWith(absl::PermissionDeniedError("needs root"));
  EXPECT_FALSE(sensor_.Start(policy_).ok());
  EXPECT_TRUE(sink_.WaitFor(
      [](const v1::Event& event) { return event.gap().cause() == v1::Gap::CAUSE_SENSOR_DOWN; }));
  EXPECT_FALSE(sensor_.State().serving);
  EXPECT_NE(sensor_.State().detail.find("needs root"), std::string::npos);
}

TEST_F(FileSensorTest, TheProofIsWhatComesBackFromTheSource) {
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  sensor_.Prove();  // the fake source sees nothing by itself
  EXPECT_FALSE(sensor_.State().serving);
  EXPECT_FALSE(source_.Watch().canary.empty());
}

TEST_F(FileSensorTest, StopTellsWhatWasPending) {
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  for (int i = 0; i < 500; ++i) source_.Created((folder_ / std::to_string(i)).string(), 0);
  sensor_.Stop();
  EXPECT_EQ(sink_.Events().size(), 500U);
}

}  // namespace
}  // namespace cordon::agent
