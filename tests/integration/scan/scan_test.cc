// Baseline and check on real trees.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>

#include "agent/scan/scan_runner.h"
#include "common/sqlite/database.h"
#include "platform/api/system.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using cordon::testing::RecordingSink;
using cordon::testing::TempFolder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
namespace fs = std::filesystem;

class ScanTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }

  void Open() {
    runner_.reset();
    auto runner = ScanRunner::Open(
        {.database = state_ / "baseline.db", .excluded = {tree_ / "excluded"}}, *clock_, sink_,
        [this] { return std::vector<fs::path>{tree_.Path()}; },
        [this](const v1::ScanProgress& progress) { Heard(progress); });
    ASSERT_TRUE(runner.ok()) << runner.status();
    runner_ = *std::move(runner);
  }

  void Heard(const v1::ScanProgress& progress) {
    const std::lock_guard lock(mutex_);
    ++heard_;
    last_ = progress;
    changed_.notify_all();
  }

  v1::ScanProgress WaitForEnd(const std::string& order_id) {
    std::unique_lock lock(mutex_);
    const bool ended = changed_.wait_for(lock, std::chrono::seconds(60), [&] {
      return last_.order_id() == order_id && last_.state() != v1::ScanProgress::STATE_RUNNING;
    });
    EXPECT_TRUE(ended);
    return last_;
  }

  static v1::ScanSpec Spec(v1::IntegrityCheck::Mode mode = v1::IntegrityCheck::MODE_UNSPECIFIED) {
    v1::ScanSpec spec;
    spec.mutable_integrity()->set_mode(mode);
    spec.set_full_speed(true);
    return spec;
  }

  v1::ScanProgress Scan(const v1::ScanSpec& spec) {
    const std::string order_id = "order" + std::to_string(++orders_);
    findings_before_ = sink_.Events().size();
    absl::Status started = runner_->Start(order_id, spec);
    // The one before may have told its end and not yet be gone.
    while (absl::IsResourceExhausted(started)) started = runner_->Start(order_id, spec);
    EXPECT_TRUE(started.ok()) << started;
    return WaitForEnd(order_id);
  }

  // "CONTENT name" per finding of the last scan.
  std::vector<std::string> Findings() {
    std::vector<std::string> found;
    const auto events = sink_.Events();
    for (size_t i = findings_before_; i < events.size(); ++i) {
      const v1::Finding& finding = events[i].event.finding();
      found.push_back(v1::Finding::Kind_Name(finding.kind()).substr(5) + " " +
                      finding.path().substr(tree_.Path().string().size()));
    }
    return found;
  }

  void Write(const std::string& name, const std::string& content) {
    fs::create_directories((tree_ / name).parent_path());
    std::ofstream(tree_ / name) << content;
  }

  TempFolder tree_, state_;
  std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  RecordingSink sink_;
  std::mutex mutex_;
  std::condition_variable changed_;
  v1::ScanProgress last_;
  int heard_ = 0;
  int orders_ = 0;
  size_t findings_before_ = 0;
  std::unique_ptr<ScanRunner> runner_;
};

TEST_F(ScanTest, FindsExactlyWhatWasTamperedWith) {
  for (int i = 0; i < 300; ++i)
    Write("d" + std::to_string(i % 7) + "/f" + std::to_string(i), std::to_string(i));
  fs::create_symlink("f0", tree_ / "d0/link");
  Write("removed/a/b", "x");
  const v1::ScanProgress made = Scan(Spec());
  EXPECT_EQ(made.state(), v1::ScanProgress::STATE_DONE) << made.message();
  EXPECT_EQ(made.files_done(), 301U);
  EXPECT_EQ(made.files_total(), 301U);
  EXPECT_EQ(made.baseline_sha256().size(), 32U);

  const v1::ScanProgress unchanged = Scan(Spec());
  EXPECT_THAT(Findings(), IsEmpty());
  EXPECT_EQ(unchanged.baseline_sha256(), made.baseline_sha256());

  // Same size, and its time of change set back.
  const auto time = fs::last_write_time(tree_ / "d0/f7");
  Write("d0/f7", "X");
  fs::last_write_time(tree_ / "d0/f7", time);
  fs::permissions(tree_ / "d1/f8", fs::perms::owner_all | fs::perms::set_uid);
  fs::remove_all(tree_ / "removed");
  Write("d2/new/implant", "x");
  fs::remove(tree_ / "d0/link");
  fs::create_symlink("/tmp", tree_ / "d0/link");
  Write("d3/f10", "longer content than before");
  const v1::ScanProgress checked = Scan(Spec(v1::IntegrityCheck::MODE_CHECK));
  EXPECT_EQ(checked.state(), v1::ScanProgress::STATE_DONE) << checked.message();
  EXPECT_THAT(Findings(),
              UnorderedElementsAre("CONTENT /d0/f7", "METADATA /d1/f8", "REMOVED /removed",
                                   "REMOVED /removed/a", "REMOVED /removed/a/b", "ADDED /d2/new",
                                   "ADDED /d2/new/implant", "METADATA /d0/link", "CONTENT /d3/f10"));
  EXPECT_EQ(checked.findings(), 9U);
  EXPECT_EQ(sink_.Events().back().event_class, v1::EVENT_CLASS_FINDING);
}

TEST_F(ScanTest, ARereadFindsWhatOnlyTheContentTells) {
  Write("a", "1");
  Scan(Spec());
  v1::ScanSpec spec = Spec();
  spec.set_full_reread(true);
  const v1::ScanProgress progress = Scan(spec);
  EXPECT_EQ(progress.bytes_done(), 1U);
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(ScanTest, OddThingsNeitherStopItNorAreFollowed) {
  Write("ok", "1");
  Write("excluded/secret", "1");
  ASSERT_EQ(mkfifo((tree_ / "fifo").c_str(), 0600), 0);
  fs::create_directory_symlink("/usr", tree_ / "usr");
  fs::create_symlink("nowhere", tree_ / "dangling");
  Write(std::string("bad\xff\nname"), "1");
  const v1::ScanProgress progress = Scan(Spec());
  EXPECT_EQ(progress.state(), v1::ScanProgress::STATE_DONE) << progress.message();
  EXPECT_EQ(progress.files_done(), 2U);
  EXPECT_EQ(progress.not_scanned_count(), 0U);
  Write("excluded/secret", "2");
  Write(std::string("bad\xff\nname"), "22");
  Scan(Spec());
  EXPECT_THAT(Findings(), UnorderedElementsAre("CONTENT /bad\\xff\nname"));
}

TEST_F(ScanTest, WhatBecomesUnreadableIsListedAndNotCalledRemoved) {
  Write("d/f", "1");
  Scan(Spec());
  v1::ScanSpec spec = Spec();
  spec.add_paths(tree_.Path().string());
  spec.add_paths("/does/not/exist");
  const v1::ScanProgress progress = Scan(spec);
  EXPECT_EQ(progress.state(), v1::ScanProgress::STATE_DONE) << progress.message();
  ASSERT_EQ(progress.not_scanned_count(), 1U);
  EXPECT_EQ(progress.not_scanned(0).path(), "/does/not/exist");
  EXPECT_THAT(progress.not_scanned(0).reason(), HasSubstr("No such file"));
}

TEST_F(ScanTest, KernelFileSystemsBelowARootAreNotEntered) {
  if (geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  fs::create_directory(tree_ / "proc");
  ASSERT_EQ(mount("cordon-test", (tree_ / "proc").c_str(), "proc", MS_RDONLY, nullptr), 0);
  const v1::ScanProgress progress = Scan(Spec());
  EXPECT_EQ(umount2((tree_ / "proc").c_str(), MNT_DETACH), 0);
  EXPECT_EQ(progress.files_done(), 0U);
  ASSERT_EQ(progress.not_scanned_size(), 1);
  EXPECT_THAT(progress.not_scanned(0).reason(), HasSubstr("proc"));
}

TEST_F(ScanTest, ACheckWithoutABaselineIsRefusedAndASecondJobToo) {
  Write("a", "1");
  EXPECT_EQ(runner_->Start("x", Spec(v1::IntegrityCheck::MODE_CHECK)).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(runner_->Cancel("x").code(), absl::StatusCode::kNotFound);
}

TEST_F(ScanTest, ABaselineOfPartLeavesTheRestAsItWas) {
  Write("a/1", "1");
  Write("b/1", "1");
  Scan(Spec());
  Write("a/1", "22");
  Write("b/1", "22");
  v1::ScanSpec part = Spec(v1::IntegrityCheck::MODE_CREATE);
  part.add_paths((tree_ / "a").string());
  Scan(part);
  Scan(Spec());
  EXPECT_THAT(Findings(), UnorderedElementsAre("CONTENT /b/1"));
}

TEST_F(ScanTest, AHugeFileIsLeftWithinASecondWhenCancelled) {
  Write("small", "1");
  Scan(Spec());
  ASSERT_EQ(truncate((tree_ / "small").c_str(), 1LL << 40), 0);  // a hole of 1 TiB
  v1::ScanSpec spec = Spec();
  spec.set_full_speed(false);
  ASSERT_TRUE([&] {
    absl::Status started = runner_->Start("huge", spec);
    while (absl::IsResourceExhausted(started)) started = runner_->Start("huge", spec);
    return started.ok();
  }());
  EXPECT_EQ(runner_->Start("other", spec).code(), absl::StatusCode::kResourceExhausted);
  {
    std::unique_lock lock(mutex_);  // it reads
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(30),
                                  [&] { return last_.order_id() == "huge" && last_.bytes_done() > 0; }));
  }
  ASSERT_TRUE(runner_->Cancel("huge").ok());
  EXPECT_EQ(WaitForEnd("huge").state(), v1::ScanProgress::STATE_CANCELLED);
  // The old baseline is whole.
  Write("small", "1");
  Scan(Spec());
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(ScanTest, AJobThatTheAgentsEndInterruptedIsToldAtTheNextStart) {
  Write("small", "1");
  runner_.reset();
  {
    auto database = Database::Open(state_ / "baseline.db", Database::Durability::kFull);
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE(database->Execute("INSERT INTO job VALUES('lost-order', 1)").ok());
  }
  Open();
  runner_->ReportInterrupted();
  const v1::ScanProgress progress = WaitForEnd("lost-order");
  EXPECT_EQ(progress.state(), v1::ScanProgress::STATE_FAILED);
  const int heard = heard_;
  runner_->ReportInterrupted();
  EXPECT_EQ(heard_, heard);
}

TEST_F(ScanTest, ADamagedBaselineIsSetAsideAndReported) {
  Write("a", "1");
  Scan(Spec());
  runner_.reset();
  std::ofstream(state_ / "baseline.db", std::ios::trunc) << std::string(8192, 'x');
  Open();
  EXPECT_THAT(runner_->SetAsideNotice(), HasSubstr("set aside"));
  EXPECT_TRUE(sink_.WaitFor([](const v1::Event& event) {
    return event.agent_lifecycle().state() == v1::AgentLifecycle::STATE_DATABASE_SET_ASIDE;
  }));
  EXPECT_EQ(runner_->Start("x", Spec(v1::IntegrityCheck::MODE_CHECK)).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Scan(Spec()).state(), v1::ScanProgress::STATE_DONE);
}

TEST_F(ScanTest, TheProofReadsAFileAndTheDatabase) {
  EXPECT_FALSE(runner_->State().serving);
  runner_->Prove();
  EXPECT_TRUE(runner_->State().serving) << runner_->State().detail;
}

}  // namespace
}  // namespace cordon::agent
