#include "agent/integrity/file_sensor.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <limits>
#include <mutex>
#include <thread>

#include "agent/integrity/file_look.h"
#include "agent/integrity/long_files.h"
#include "agent/integrity/losses.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "common/crypto/random.h"
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
  std::mutex sure_mutex_;
  std::vector<std::pair<v1::Finding, v1::SelfIsolation>> sure_;  // after Stop, without the lock
  FileSensor sensor_{
      {.state_folder = state_.Path(),
       .settle = {.quiet_nanos = 20 * kNanosPerMilli},
       .settle_reads = {.quiet_nanos = 50 * kNanosPerMilli},
       .max_hash_bytes = 1000,
       .process_wait = std::chrono::milliseconds(300),
       .proof_wait = std::chrono::milliseconds(300)},
      [this] { return std::make_unique<LentFileSource>(sources_made_++ == 0 ? source_ : next_source_); },
      *clock_,
      processes_,
      sink_,
      [this](const v1::Finding& finding, const v1::SelfIsolation& allowed) {
        const std::lock_guard lock(sure_mutex_);
        sure_.emplace_back(finding, allowed);
      }};
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

TEST_F(FileSensorTest, ReadsAreSummedUpPerProcessAndFileAndNotHashed) {
  processes_.Started(7, {.guid = "0123456789abcdef", .executable = "/usr/bin/curl"});
  processes_.Started(8, {.guid = "fedcba9876543210", .executable = "/usr/bin/tar"});
  policy_.add_sensitive_paths(folder_.Path().string());
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  EXPECT_EQ(source_.Watch().sensitive.at(0), folder_.Path());
  const std::string path = File("clients.db", "content");
  for (int i = 0; i < 5; ++i) source_.Read(path, 7);
  source_.Read(path, 8);
  EXPECT_TRUE(Told([&](const v1::FileChanged& change) {
    return change.change() == v1::FileChanged::CHANGE_READ && change.path() == path &&
           change.repeats() == 5 && change.executable() == "/usr/bin/curl" && change.state().size() == 7 &&
           change.state().sha256().empty();
  }));
  EXPECT_TRUE(Told([&](const v1::FileChanged& change) {
    return change.change() == v1::FileChanged::CHANGE_READ && change.executable() == "/usr/bin/tar";
  }));
}

TEST_F(FileSensorTest, TEL1_AfterAnOverflowWhatTheWindowCanHaveTouchedIsToldAndNoOther) {
  const std::string old = File("old", "before");
  std::this_thread::sleep_for(
      std::chrono::milliseconds(2200));  // the window begins a grain of the clock earlier
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  std::filesystem::create_directory(folder_ / "new");
  const std::string lost = File("new/lost", "content");
  source_.Say({.kind = platform::RawFileEvent::kOverflow,
               .boottime_nanos = clock_->BootNanos(),
               .lost_count = 3,
               .lost_since_boottime_nanos = clock_->BootNanos()});
  EXPECT_TRUE(sink_.WaitFor([](const v1::Event& event) {
    return event.gap().cause() == v1::Gap::CAUSE_KERNEL_BUFFER_FULL && event.gap().count() == 3;
  }));
  EXPECT_TRUE(Told([&](const v1::FileChanged& change) {
    return change.path() == lost && change.state().sha256() == Sha256("content") && change.pid() == 0 &&
           !change.process_unknown_reason().empty();
  }));
  sensor_.Stop();
  for (const auto& recorded : sink_.Events()) EXPECT_NE(recorded.event.file_changed().path(), old);
}

TEST_F(FileSensorTest, ARootThatIsNamedByALinkIsWalkedWhereItIs) {
  TempFolder links;
  std::filesystem::create_directory_symlink(folder_.Path(), links / "home");
  std::filesystem::create_directory(folder_ / "excluded");
  policy_.clear_watched_paths();
  policy_.add_watched_paths((links / "home").string());
  policy_.add_excluded_paths((links / "home/excluded").string());
  policy_.add_excluded_paths((links / "home/*.tmp").string());
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  EXPECT_EQ(source_.Watch().roots.at(0), folder_.Path());
  const std::string lost = File("lost", "content");
  File("excluded/a", "content");
  File("a.tmp", "content");
  source_.Overflowed();
  EXPECT_TRUE(Told([&](const v1::FileChanged& change) { return change.path() == lost; }));
  sensor_.Stop();
  for (const auto& recorded : sink_.Events()) {
    const std::string path = recorded.event.file_changed().path();
    EXPECT_FALSE(path.ends_with("/excluded/a") || path.ends_with(".tmp")) << path;
  }
}

TEST_F(FileSensorTest, TheProofIsKnownWhenTheStateLiesBehindALink) {
  TempFolder links;
  std::filesystem::create_directory_symlink(state_.Path(), links / "state");
  FakeFileSource source;
  source.SetNow(clock_->BootNanos());
  FileSensor sensor(
      {.state_folder = links / "state",
       .settle = {.quiet_nanos = 20 * kNanosPerMilli},
       .proof_wait = std::chrono::seconds(10)},
      [&] { return std::make_unique<LentFileSource>(source); }, *clock_, processes_, sink_);
  ASSERT_TRUE(sensor.Start(policy_).ok());
  const std::filesystem::path canary = state_.Path() / "canary";
  EXPECT_EQ(source.Watch().canary, canary);
  std::jthread kernel([&](const std::stop_token& stop) {  // tells true paths
    while (!stop.stop_requested()) {
      if (std::filesystem::exists(canary / "probe")) source.ClosedWrite(canary / "probe");
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  });
  sensor.Prove();
  EXPECT_TRUE(sensor.State().serving) << sensor.State().detail;
}

TEST_F(FileSensorTest, LostReadsAreAGapAndNoWalk) {
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  File("a", "content");
  source_.Say({.kind = platform::RawFileEvent::kOverflow, .lost_reads = true});
  EXPECT_TRUE(sink_.WaitFor(
      [](const v1::Event& event) { return event.gap().detail() == "reads of sensitive files were lost"; }));
  sensor_.Stop();
  EXPECT_EQ(sink_.Events().size(), 1U);
}

TEST_F(FileSensorTest, TEL1_ManyOverflowsAreFewGapsThatStandForAll) {
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  const int64_t first = clock_->BootNanos();
  for (int i = 0; i < 200; ++i) {
    source_.Say({.kind = platform::RawFileEvent::kOverflow,
                 .boottime_nanos = clock_->BootNanos(),
                 .lost_count = 3,
                 .lost_since_boottime_nanos = first + (i == 100 ? -7 : 7) * kNanosPerSecond});
  }
  sensor_.Stop();
  uint64_t lost = 0;
  int gaps = 0;
  int64_t earliest = std::numeric_limits<int64_t>::max();
  for (const auto& recorded : sink_.Events()) {
    if (!recorded.event.has_gap()) continue;
    ++gaps;
    lost += recorded.event.gap().count();
    EXPECT_FALSE(recorded.event.gap().count_unknown());
    earliest = std::min(earliest, recorded.event.gap().first_time_unix_nanos());
  }
  EXPECT_EQ(lost, 600U);
  EXPECT_EQ(sensor_.LostEvents(), 600U);
  EXPECT_LE(gaps, 3) << "the first at once, one for the rest; one more on a slow machine";
  const int64_t widest = clock_->WallNanos() - (clock_->BootNanos() - first) - 7 * kNanosPerSecond;
  EXPECT_NEAR(static_cast<double>(earliest), static_cast<double>(widest), 1e9);
}

TEST(Losses, WhatIsAddedUpIsToldInItsTimeAndReadsByThemselves) {
  Losses losses(/*pause_nanos=*/100);
  platform::RawFileEvent overflow{.kind = platform::RawFileEvent::kOverflow, .path = "/a", .lost_count = 2};
  losses.Add(overflow, 5, 10);
  EXPECT_EQ(losses.TakeDue(10).size(), 1U);
  EXPECT_FALSE(losses.NextDue().has_value());
  losses.Add(overflow, 7, 20);
  overflow.path = "/b";
  overflow.lost_count = 0;
  losses.Add(overflow, 6, 30);
  overflow.lost_reads = true;
  losses.Add(overflow, 8, 40);
  const std::vector<Loss> reads = losses.TakeDue(109);
  ASSERT_EQ(reads.size(), 1U);
  EXPECT_TRUE(reads[0].reads);
  EXPECT_EQ(losses.NextDue(), 110);
  const std::vector<Loss> changes = losses.TakeDue(110);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].count, 2U);
  EXPECT_TRUE(changes[0].count_unknown);
  EXPECT_EQ(changes[0].since_boottime_nanos, 6);
  EXPECT_EQ(changes[0].until_boottime_nanos, 30);
  EXPECT_TRUE(changes[0].path.empty());
  EXPECT_TRUE(losses.TakeAll().empty());
}

TEST_F(FileSensorTest, TheFilesOfATreeThatWasMovedInAreToldAsNew) {
  processes_.Started(42, {.guid = "0123456789abcdef", .executable = "/usr/bin/mv"});
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  std::filesystem::create_directories(folder_ / "tree/inner");
  const std::string inner = File("tree/inner/a", "content");
  source_.Say({.kind = platform::RawFileEvent::kRenamed,
               .is_directory = true,
               .path = folder_ / "tree",
               .old_path = "/elsewhere/tree",
               .pid = 42,
               .boottime_nanos = clock_->BootNanos()});
  EXPECT_TRUE(Told([&](const v1::FileChanged& change) {
    return change.change() == v1::FileChanged::CHANGE_CREATED && change.path() == inner &&
           change.state().sha256() == Sha256("content") && change.executable() == "/usr/bin/mv";
  }));
}

// A source that tells a move as removed and added cannot tell that it was one.
TEST_F(FileSensorTest, TEL1_TheFilesOfANewFolderThatMayHaveComeWithSomeAreToldAsNew) {
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  for (const bool may_have_content : {false, true}) {
    const std::string name = may_have_content ? "moved" : "made";
    std::filesystem::create_directories(folder_ / name / "inner");
    File(name + "/inner/a", "content");
    source_.Say({.kind = platform::RawFileEvent::kCreated,
                 .is_directory = true,
                 .may_have_content = may_have_content,
                 .path = folder_ / name,
                 .boottime_nanos = clock_->BootNanos()});
  }
  const auto is_file_of = [&](const std::string& name, const v1::FileChanged& change) {
    return change.path() == (folder_ / name / "inner/a").string() &&
           change.change() == v1::FileChanged::CHANGE_CREATED;
  };
  EXPECT_TRUE(Told([&](const v1::FileChanged& change) { return is_file_of("moved", change); }));
  sensor_.Stop();
  for (const auto& told : sink_.Events()) EXPECT_FALSE(is_file_of("made", told.event.file_changed()));
}

// What is left out is not watched: `old_path` there is as good as none.
TEST_F(FileSensorTest, DocumentsThatComeBackEncryptedFromAnExcludedFolderAreAFinding) {
  processes_.Started(42, {.guid = "0123456789abcdef", .executable = "/usr/bin/mv"});
  policy_.mutable_tripwires()->set_files(3);
  policy_.add_excluded_paths((folder_ / ".cache/*").string());
  policy_.add_excluded_paths((folder_ / "left-out").string());
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  for (const char* from : {".cache/x", ".cache", "left-out/x"}) {
    const std::string folder = StrCat("Documents", std::filesystem::path(from).filename().string());
    std::filesystem::create_directories(folder_ / folder);
    for (int i = 0; i < 3; ++i) File(StrCat(folder, "/", i, ".docx"), RandomBytes(900));
    processes_.Started(42, {.guid = StrCat("mv from ", from), .executable = "/usr/bin/mv"});
    source_.Say({.kind = platform::RawFileEvent::kRenamed,
                 .is_directory = true,
                 .path = folder_ / folder,
                 .old_path = folder_ / from,
                 .pid = 42,
                 .boottime_nanos = clock_->BootNanos()});
    EXPECT_TRUE(sink_.WaitFor([&](const v1::Event& event) {
      return event.finding().files() == 3 && event.finding().process_guid() == StrCat("mv from ", from);
    })) << from;
  }
}

TEST_F(FileSensorTest, AFolderThatIsRenamedWhereItIsWatchedIsNotTakenForNew) {
  policy_.add_excluded_paths((folder_ / ".cache/*").string());
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  std::filesystem::create_directories(folder_ / "new");
  const std::string inner = File("new/a.docx", RandomBytes(900));
  source_.Say({.kind = platform::RawFileEvent::kRenamed,
               .is_directory = true,
               .path = folder_ / "new",
               .old_path = folder_ / "old",
               .pid = 42,
               .boottime_nanos = clock_->BootNanos()});
  EXPECT_TRUE(
      Told([&](const v1::FileChanged& change) { return change.path() == (folder_ / "new").string(); }));
  sensor_.Stop();
  for (const auto& told : sink_.Events()) EXPECT_NE(told.event.file_changed().path(), inner);
}

TEST_F(FileSensorTest, EncryptedDocumentsAreAFindingAndTheSignedStepIsTakenOnce) {
  processes_.Started(42, {.guid = "0123456789abcdef", .executable = "/tmp/locker", .parent_guid = "parent"});
  v1::Tripwires& tripwires = *policy_.mutable_tripwires();
  tripwires.set_files(3);
  tripwires.mutable_isolate()->set_level(v1::LEVEL_ESSENTIAL);
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  for (int i = 0; i < 10; ++i) source_.Modified(File(std::to_string(i) + ".docx", RandomBytes(900)), 42);
  EXPECT_TRUE(sink_.WaitFor([](const v1::Event& event) {
    const v1::Finding& finding = event.finding();
    return finding.kind() == v1::Finding::KIND_RANSOMWARE && finding.files() == 3 &&
           finding.executable() == "/tmp/locker" && finding.pid() == 42 && !finding.process_guid().empty();
  }));
  sensor_.Stop();
  ASSERT_EQ(sure_.size(), 1U);
  EXPECT_EQ(sure_[0].second.level(), v1::LEVEL_ESSENTIAL);
  int findings = 0;
  for (const auto& recorded : sink_.Events()) findings += recorded.event.has_finding() ? 1 : 0;
  EXPECT_EQ(findings, 1);
}

TEST_F(FileSensorTest, ACanaryFileThatIsTouchedIsAFindingAndADeletedOneIsNotSure) {
  policy_.mutable_tripwires()->add_canary_folders(folder_.Path().string());
  policy_.mutable_tripwires()->mutable_isolate()->set_level(v1::LEVEL_ESSENTIAL);
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  std::vector<std::string> canaries;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.Path()))
    canaries.push_back(entry.path());
  ASSERT_EQ(canaries.size(), 2U);
  source_.AttributesChanged(canaries[0], 41);  // a backup sets the archive bit, a user looks at it: nothing
  processes_.Started(42, {.guid = "rm", .executable = "/usr/bin/rm"});
  source_.Deleted(canaries[0], 42);
  EXPECT_TRUE(
      sink_.WaitFor([](const v1::Event& event) { return event.finding().executable() == "/usr/bin/rm"; }));
  {
    const std::lock_guard lock(sure_mutex_);
    EXPECT_TRUE(sure_.empty());
  }
  processes_.Started(43, {.guid = "locker", .executable = "/tmp/locker"});
  source_.Modified(canaries[1], 43);
  EXPECT_TRUE(
      sink_.WaitFor([](const v1::Event& event) { return event.finding().executable() == "/tmp/locker"; }));
  sensor_.Stop();
  EXPECT_EQ(sure_.size(), 1U);
}

TEST_F(FileSensorTest, ACanaryFolderThatBecameALinkToItselfIsAFolderThatIsGone) {
  const std::filesystem::path documents = folder_ / "Documents";
  std::filesystem::create_directory(documents);
  policy_.mutable_tripwires()->add_canary_folders(documents.string());
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  const std::string canary = std::filesystem::directory_iterator(documents)->path();
  std::filesystem::remove_all(documents);
  std::filesystem::create_directory_symlink(documents, documents);
  source_.Deleted(canary, 42);
  EXPECT_TRUE(Told([&](const v1::FileChanged& change) { return change.path() == canary; }));
  std::filesystem::remove(documents);
  std::filesystem::create_directory(documents);
  for (const auto& recorded : sink_.Events()) EXPECT_FALSE(recorded.event.has_finding());
  source_.Deleted(canary, 43);  // its folder is there: that is a finding
  EXPECT_TRUE(sink_.WaitFor(
      [](const v1::Event& event) { return event.finding().detail() == "a canary file was deleted"; }));
}

TEST_F(FileSensorTest, AnUnsureFindingDoesNotSilenceTheSureOneOfTheSameProcess) {
  policy_.mutable_tripwires()->set_files(3);
  policy_.mutable_tripwires()->add_canary_folders(folder_.Path().string());
  policy_.mutable_tripwires()->mutable_isolate()->set_level(v1::LEVEL_ESSENTIAL);
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  const std::string canary = std::filesystem::directory_iterator(folder_.Path())->path();
  processes_.Started(42, {.guid = "locker", .executable = "/tmp/locker"});
  source_.Deleted(canary, 42);
  ASSERT_TRUE(sink_.WaitFor([](const v1::Event& event) { return event.has_finding(); }));
  {
    const std::lock_guard lock(sure_mutex_);
    EXPECT_TRUE(sure_.empty()) << "a deleted canary alone is not sure";
  }
  for (int i = 0; i < 6; ++i) source_.Modified(File(std::to_string(i) + ".docx", RandomBytes(900)), 42);
  EXPECT_TRUE(sink_.WaitFor([](const v1::Event& event) { return event.finding().files() == 3; }));
  source_.Deleted(canary, 42);  // and after a sure one, an unsure one says nothing new
  sensor_.Stop();
  EXPECT_EQ(sure_.size(), 1U);
  int findings = 0;
  for (const auto& recorded : sink_.Events()) findings += recorded.event.has_finding() ? 1 : 0;
  EXPECT_EQ(findings, 2);
}

TEST_F(FileSensorTest, CanariesInAFolderWhoseNameIsNoUtf8AreWatched) {
  const std::filesystem::path documents = folder_ / "Dok\xfcmente";
  std::filesystem::create_directory(documents);
  policy_.mutable_tripwires()->add_canary_folders(EscapeToUtf8(documents.string()));
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  const std::string canary = std::filesystem::directory_iterator(documents)->path();
  source_.Modified((documents / "letter.rtf").string(), 42);
  EXPECT_TRUE(Told([](const v1::FileChanged& change) { return change.path().ends_with("letter.rtf"); }));
  for (const auto& recorded : sink_.Events()) EXPECT_FALSE(recorded.event.has_finding());
  source_.Modified(canary, 42);
  EXPECT_TRUE(sink_.WaitFor(
      [](const v1::Event& event) { return event.finding().detail() == "a canary file was changed"; }));
}

TEST_F(FileSensorTest, NothingWaitsForTheHashOfALongFile) {
  TempFolder state;
  FakeFileSource source;
  source.SetNow(clock_->BootNanos());
  FileSensor sensor(
      {.state_folder = state.Path(),
       .settle = {.quiet_nanos = 20 * kNanosPerMilli},
       .max_hash_bytes = 1ULL << 50},
      [&] { return std::make_unique<LentFileSource>(source); }, *clock_, processes_, sink_);
  processes_.Started(42, {.guid = "0123456789abcdef", .executable = "/tmp/locker", .parent_guid = "parent"});
  policy_.mutable_tripwires()->set_files(3);
  ASSERT_TRUE(sensor.Start(policy_).ok());
  const std::string movie = File("movie.mkv", "");
  std::filesystem::resize_file(movie, 1ULL << 40);  // a hole that takes half an hour
  source.Modified(movie, 42);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // it has settled
  // One of the documents is long itself: its first bytes are enough.
  for (const char* name : {"1.docx", "2.docx"}) source.Modified(File(name, RandomBytes(900)), 42);
  const std::string scan = File("3.docx", RandomBytes(2 * kLongFileBytes));
  source.Modified(scan, 42);
  EXPECT_TRUE(sink_.WaitFor([](const v1::Event& event) { return event.finding().files() == 3; }));
  EXPECT_TRUE(Told([](const v1::FileChanged& change) { return change.path().ends_with("/2.docx"); }));
  const auto told_of = [&](const std::string& path) {
    return std::ranges::count_if(
        sink_.Events(), [&](const auto& recorded) { return recorded.event.file_changed().path() == path; });
  };
  EXPECT_EQ(told_of(movie), 0) << "it is still being hashed";
  // What is told of one path stays in its order.
  std::filesystem::remove(movie);
  source.Deleted(movie, 42);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(told_of(movie), 0);
  sensor.Stop();
  EXPECT_EQ(told_of(scan), 1);
  std::vector<v1::FileChanged> of_movie;
  for (const auto& recorded : sink_.Events()) {
    if (recorded.event.file_changed().path() == movie) of_movie.push_back(recorded.event.file_changed());
  }
  ASSERT_EQ(of_movie.size(), 2U);
  EXPECT_EQ(of_movie[0].change(), v1::FileChanged::CHANGE_MODIFIED);
  EXPECT_EQ(of_movie[0].hash_skipped_reason(), "the agent was stopping");
  EXPECT_EQ(of_movie[1].change(), v1::FileChanged::CHANGE_DELETED);
}

TEST_F(FileSensorTest, ALongFileIsToldOnceWithItsHashForEachWhoWroteIt) {
  TempFolder state;
  FakeFileSource source;
  source.SetNow(clock_->BootNanos());
  FileSensor sensor(
      {.state_folder = state.Path(), .settle = {.quiet_nanos = 20 * kNanosPerMilli}},
      [&] { return std::make_unique<LentFileSource>(source); }, *clock_, processes_, sink_);
  for (const uint32_t pid : {42U, 43U}) {
    processes_.Started(pid, {.guid = StrCat("guid", pid), .executable = "/usr/bin/dd", .parent_guid = ""});
  }
  ASSERT_TRUE(sensor.Start(policy_).ok());
  const std::string content = RandomBytes(3 * kLongFileBytes + 7);
  const std::string path = File("image.iso", content);
  source.Modified(path, 42);
  source.Modified(path, 43);
  for (const uint32_t pid : {42U, 43U}) {
    EXPECT_TRUE(Told([&](const v1::FileChanged& change) {
      return change.path() == path && change.pid() == pid && change.state().sha256() == Sha256(content) &&
             change.hash_skipped_reason().empty();
    })) << pid;
  }
  sensor.Stop();
  EXPECT_EQ(sink_.Events().size(), 2U);
}

// A lane whose first hash does not end until it is let go.
class LongFilesTest : public ::testing::Test {
 protected:
  void Put(const std::string& path, uint64_t bytes) {
    FileFact fact;
    fact.change.set_path(path);
    fact.change.mutable_state()->set_size(bytes);
    auto file = std::make_shared<LongFile>();
    file->path = path;
    file->found.exists = true;
    file->found.state.set_size(bytes);
    file->found.hash_later = true;
    lane_.Put({.fact = std::move(fact), .file = std::move(file)});
  }
  // The paths that were told so far, with "?" behind those without a hash.
  std::vector<std::string> Told() {
    const std::lock_guard lock(mutex_);
    return told_;
  }
  void WaitUntilItHashes() { hashing_.wait(false); }
  std::vector<std::string> ToldAtTheEnd() {
    free_ = true;
    free_.notify_all();
    lane_.Finish();
    return Told();
  }

 private:
  void Hash(LongFile& file) {
    hashing_ = true;
    hashing_.notify_all();
    free_.wait(false);
    file.found.hash_later = false;
    file.found.state.set_sha256("hash");
  }
  void Emit(const FileFact& fact) {
    const std::lock_guard lock(mutex_);
    const bool says_why = fact.change.state().sha256().empty() && !fact.change.hash_skipped_reason().empty();
    told_.push_back(StrCat(fact.change.path(), says_why ? "?" : ""));
  }

  std::atomic<bool> hashing_ = false;
  std::atomic<bool> free_ = false;
  std::mutex mutex_;
  std::vector<std::string> told_;
  LongFiles lane_{[this](LongFile& file) { Hash(file); },
                  [this](const FileFact& fact) { Emit(fact); },
                  {.files = 3, .bytes = 1'000}};
};

TEST_F(LongFilesTest, MoreThanCanBeHashedAreToldWithoutAHashAndNobodyWaits) {
  Put("/first", 1);
  WaitUntilItHashes();
  for (const char* path : {"/a", "/b", "/c"}) Put(path, 1);
  for (const char* path : {"/d", "/e", "/f"}) Put(path, 1);
  EXPECT_EQ(Told(), (std::vector<std::string>{"/d?", "/e?", "/f?"}));
  Put("/a", 1);  // what is told of one path stays in its order
  EXPECT_EQ(ToldAtTheEnd(),
            (std::vector<std::string>{"/d?", "/e?", "/f?", "/first", "/a", "/b", "/c", "/a?"}));
}

TEST_F(LongFilesTest, FilesThatAreLongTogetherAreToldWithoutAHash) {
  Put("/first", 5'000);  // a single one may be longer
  WaitUntilItHashes();
  Put("/a", 5'000);
  Put("/b", 10);
  EXPECT_EQ(Told(), std::vector<std::string>{"/b?"});
  EXPECT_EQ(ToldAtTheEnd(), (std::vector<std::string>{"/b?", "/first", "/a"}));
}

// Takes nothing until it is let go.
class HeldSink final : public EventSink {
 public:
  void Emit(v1::EventClass /*event_class*/, int64_t /*time_unix_nanos*/, v1::Event /*event*/) override {
    free_.wait(false);
    ++emitted_;
  }
  void LetGo() {
    free_ = true;
    free_.notify_all();
  }
  int Emitted() const { return emitted_; }

 private:
  std::atomic<bool> free_ = false;
  std::atomic<int> emitted_ = 0;
};

TEST_F(FileSensorTest, TwoNamesThatChangePlacesForEverAreHeldBackWithTheRest) {
  constexpr int kRenames = 5'000;
  TempFolder state;
  HeldSink held;
  FakeFileSource source;
  source.SetNow(clock_->BootNanos());
  FileSensor sensor(
      {.state_folder = state.Path(), .settle = {.quiet_nanos = 20 * kNanosPerMilli, .max_paths = 50}},
      [&] { return std::make_unique<LentFileSource>(source); }, *clock_, processes_, held);
  ASSERT_TRUE(sensor.Start(policy_).ok());
  std::atomic<int> taken = 0;
  std::thread renamer([&] {
    for (int i = 0; i < kRenames; ++i, ++taken) {
      const bool there = i % 2 == 0;
      source.Renamed(folder_ / (there ? "a" : "b"), folder_ / (there ? "b" : "a"), 0);
    }
  });
  int before = -1;
  while (before != taken) {  // until it stands still
    before = taken;
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  EXPECT_LT(before, 1'000);
  held.LetGo();
  renamer.join();
  sensor.Stop();
  EXPECT_GE(held.Emitted(), kRenames) << "held back, and none lost";
}

TEST_F(FileSensorTest, TripwiresThatAreOffSayNothing) {
  policy_.mutable_tripwires()->set_off(true);
  policy_.mutable_tripwires()->set_files(1);
  ASSERT_TRUE(sensor_.Start(policy_).ok());
  const std::string path = File("a.docx", RandomBytes(900));
  source_.Modified(path, 0);
  EXPECT_TRUE(Told([&](const v1::FileChanged& change) { return change.path() == path; }));
  sensor_.Stop();
  for (const auto& recorded : sink_.Events()) EXPECT_FALSE(recorded.event.has_finding());
}

}  // namespace
}  // namespace cordon::agent
