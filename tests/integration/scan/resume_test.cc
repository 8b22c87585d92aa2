// A job that is paused, or that the agent's end interrupts, goes on where it was.

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "common/base/strings.h"
#include "common/sqlite/database.h"
#include "cordon/v1/baseline.pb.h"
#include "tests/integration/scan/scan_fixture.h"

namespace cordon::agent {
namespace {

// 40 folders, with something to find in each, and in the middle a file that takes for ever.
class ResumeTest : public ScanTest {
 protected:
  void SetUp() override {
    ScanTest::SetUp();
    for (int i = 0; i < 40; ++i) Write(Folder(i) + "/x.locked", "");
  }
  static std::string Folder(int i) {
    return std::string("d") + static_cast<char>('0' + i / 10) + static_cast<char>('0' + i % 10);
  }

  void MakeItHang() { ASSERT_EQ(truncate((tree_ / "d20/x.locked").c_str(), kTakesForEver), 0); }
  void LetItGoOn() { ASSERT_EQ(truncate((tree_ / "d20/x.locked").c_str(), 0), 0); }

  static v1::ScanSpec Locked() {
    v1::ScanSpec spec;
    spec.mutable_indicators()->add_path_patterns("*.locked");
    spec.mutable_indicators()->add_sha256(std::string(32, 'x'));  // so that all are read
    return spec;
  }

  // The walk is at its end, but for the file that hangs, and the cursor is on disk.
  void StartAndHang(const v1::ScanSpec& spec) {
    MakeItHang();
    ASSERT_TRUE(StartWhenFree("job", spec).ok());
    ASSERT_TRUE(WaitFor([](const auto& p) { return p.order_id() == "job" && p.files_total() == 40; }));
    ASSERT_TRUE(WaitFor([&](const auto&) { return Cursor().ends_with("d19"); })) << Cursor();
  }

  void PauseAndCancel() {
    StartAndHang(Locked());
    ASSERT_TRUE(runner_->Pause("job").ok());
    ASSERT_TRUE(WaitFor([](const auto& p) { return p.state() == v1::ScanProgress::STATE_PAUSED; }));
    ASSERT_TRUE(runner_->Cancel("job").ok());
    EXPECT_EQ(WaitForEnd("job").state(), v1::ScanProgress::STATE_CANCELLED);
    LetItGoOn();
  }

  std::string Cursor() {
    auto database = Database::OpenReadOnly(state_ / "baseline.db");
    auto row = database->Prepare("SELECT cursor FROM job");
    return row.ok() && *row->Step() ? std::string(row->Bytes(0)) : "";
  }

  std::vector<std::string> SortedFindings() {
    std::vector<std::string> found = Findings();
    std::ranges::sort(found);
    return found;
  }
  std::vector<std::string> EachOnce() {
    std::vector<std::string> expected;
    for (int i = 0; i < 40; ++i) expected.push_back("INDICATOR /" + Folder(i) + "/x.locked");
    return expected;
  }
};

TEST_F(ResumeTest, APausedScanRestsAndGoesOnAndTellsEachFindingOnce) {
  StartAndHang(Locked());
  ASSERT_TRUE(runner_->Pause("job").ok());
  ASSERT_TRUE(WaitFor([](const auto& p) { return p.state() == v1::ScanProgress::STATE_PAUSED; }));
  EXPECT_EQ(SortedFindings(), EachOnce());
  EXPECT_TRUE(runner_->Pause("job").ok());  // twice is once
  EXPECT_EQ(runner_->Pause("other").code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(WaitFor([&](const auto&) {
    return runner_->Start("other", Locked()).message().find("resume or cancel it first") != std::string::npos;
  }));
  LetItGoOn();
  ASSERT_TRUE(runner_->Resume("job").ok());
  const v1::ScanProgress end = WaitForEnd("job");
  EXPECT_EQ(end.state(), v1::ScanProgress::STATE_DONE) << end.message();
  EXPECT_EQ(end.files_done(), 40U);
  EXPECT_EQ(end.findings(), 40U);
  EXPECT_EQ(SortedFindings(), EachOnce());
  EXPECT_TRUE(WaitFor([&](const auto&) { return absl::IsNotFound(runner_->Resume("job")); }));
}

TEST_F(ResumeTest, AScanThatIsResumedAtOnceDoesNotStop) {
  StartAndHang(Locked());
  ASSERT_TRUE(runner_->Pause("job").ok());
  ASSERT_TRUE(runner_->Resume("job").ok());
  LetItGoOn();
  EXPECT_EQ(WaitForEnd("job").state(), v1::ScanProgress::STATE_DONE);
  EXPECT_EQ(SortedFindings(), EachOnce());
}

TEST_F(ResumeTest, APausedScanStaysPausedThroughARestart) {
  StartAndHang(Locked());
  ASSERT_TRUE(runner_->Pause("job").ok());
  Open();
  runner_->ResumeInterrupted();
  ASSERT_TRUE(WaitFor([](const auto& p) { return p.state() == v1::ScanProgress::STATE_PAUSED; }));
  LetItGoOn();
  ASSERT_TRUE(runner_->Resume("job").ok());
  EXPECT_EQ(WaitForEnd("job").files_done(), 40U);
  EXPECT_EQ(SortedFindings(), EachOnce());
}

TEST_F(ResumeTest, APausedScanCanBeCancelled) {
  PauseAndCancel();
  EXPECT_EQ(Scan(Locked()).state(), v1::ScanProgress::STATE_DONE);
}

// The agent was killed when the end had been told and was not recorded: it is told again, and is the same.
TEST_F(ResumeTest, AnEndThatWasNotRecordedIsToldAgainByTheNextRun) {
  recorded_ = false;
  const auto baseline_of = [](const v1::ScanProgress& end) {
    v1::ScanReport report;
    EXPECT_TRUE(report.ParseFromString(end.report()));
    return std::pair(report.baseline_before_sha256(), report.baseline_sha256());
  };
  ASSERT_TRUE(StartWhenFree("job", Spec(v1::IntegrityCheck::MODE_CREATE)).ok());
  const v1::ScanProgress end = WaitForEnd("job");
  EXPECT_EQ(end.state(), v1::ScanProgress::STATE_DONE) << end.message();
  EXPECT_TRUE(absl::IsNotFound(runner_->Find("job"))) << "it is over";
  EXPECT_TRUE(absl::IsNotFound(runner_->Pause("job")));
  EXPECT_EQ(runner_->Start("other", Spec()).code(), absl::StatusCode::kResourceExhausted);
  for (const bool recorded : {false, true}) {
    recorded_ = recorded;
    Open();
    last_.Clear();
    EXPECT_TRUE(runner_->Find("job").ok());
    runner_->ResumeInterrupted();
    const v1::ScanProgress again = WaitForEnd("job");
    EXPECT_EQ(again.state(), v1::ScanProgress::STATE_DONE) << again.message();
    EXPECT_EQ(again.files_done(), end.files_done());
    EXPECT_EQ(baseline_of(again), baseline_of(end));
  }
  Open();
  EXPECT_TRUE(absl::IsNotFound(runner_->Find("job")));
}

TEST_F(ResumeTest, ACancelledScanStaysCancelledThroughACrash) {
  recorded_ = false;
  PauseAndCancel();
  recorded_ = true;
  Open();
  last_.Clear();
  runner_->ResumeInterrupted();
  EXPECT_EQ(WaitForEnd("job").state(), v1::ScanProgress::STATE_CANCELLED);
  EXPECT_TRUE(absl::IsNotFound(runner_->Find("job")));
  EXPECT_EQ(Scan(Locked()).state(), v1::ScanProgress::STATE_DONE);
}

TEST_F(ResumeTest, AScanThatTheAgentsStopInterruptsGoesOnAndTellsEachFindingOnce) {
  StartAndHang(Locked());
  runner_->Stop();
  LetItGoOn();
  Open();
  runner_->ResumeInterrupted();
  const v1::ScanProgress end = WaitForEnd("job");
  EXPECT_EQ(end.state(), v1::ScanProgress::STATE_DONE) << end.message();
  EXPECT_EQ(end.files_done(), 40U);
  EXPECT_EQ(SortedFindings(), EachOnce());
}

TEST_F(ResumeTest, AfterACrashWhatWasJustBeingToldIsToldAgainAndSaysSo) {
  StartAndHang(Locked());
  runner_->Stop();
  {
    // As a crash leaves it: remembered, and not known to have reached the spool.
    auto database = Database::Open(state_ / "baseline.db", Database::Durability::kFull);
    ASSERT_TRUE(database->Execute("UPDATE told SET sure = 0").ok());
  }
  LetItGoOn();
  Open();
  runner_->ResumeInterrupted();
  EXPECT_EQ(WaitForEnd("job").findings(), 40U);
  size_t again = 0;
  for (const auto& event : sink_.Events())
    again += event.event.finding().detail().contains("told before") ? 1 : 0;
  EXPECT_EQ(again, 20U);  // those of d20 to d39
  EXPECT_EQ(Findings().size(), 60U);
}

TEST_F(ResumeTest, APauseWithinAFolderThatIsGoneGoesOnThereAndTellsEachFindingOnce) {
  constexpr size_t kGone = 30'000;
  Write("gone/f", "1");
  Scan(Spec());
  {
    auto database = Database::Open(state_ / "baseline.db", Database::Durability::kFull);
    v1::BaselineFolder gone;
    for (size_t i = 0; i < kGone; ++i) {
      v1::BaselineEntry& entry = *gone.add_entries();
      entry.set_name(StrCat("g", i));
      entry.set_type(v1::FileState::TYPE_FILE);
    }
    auto put = database->Prepare("UPDATE folder SET entries = ? WHERE path = ?");
    ASSERT_TRUE(put->BindBlob(1, gone.SerializeAsString()).BindBlob(2, (tree_ / "gone").string()).Run().ok());
    ASSERT_EQ(database->Changes(), 1);
  }
  fs::remove_all(tree_ / "gone");
  ASSERT_TRUE(StartWhenFree("job", Spec(v1::IntegrityCheck::MODE_CHECK)).ok());
  const size_t before = findings_before_;
  while (sink_.Events().size() < before + 10) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_TRUE(runner_->Pause("job").ok());
  ASSERT_TRUE(WaitFor(
      [](const auto& p) { return p.order_id() == "job" && p.state() != v1::ScanProgress::STATE_RUNNING; }));
  {
    const std::lock_guard lock(mutex_);
    ASSERT_EQ(last_.state(), v1::ScanProgress::STATE_PAUSED) << last_.message();
  }
  EXPECT_LT(sink_.Events().size() - before, kGone) << "it rests before the end";
  ASSERT_TRUE(runner_->Resume("job").ok());
  const v1::ScanProgress end = WaitForEnd("job");
  EXPECT_EQ(end.state(), v1::ScanProgress::STATE_DONE) << end.message();
  std::vector<std::string> found = SortedFindings();
  EXPECT_EQ(found.size(), kGone + 1) << "the folder, and all below it";
  EXPECT_EQ(std::ranges::unique(found).begin(), found.end());
}

// d35 before the check; the others while it rests, d19 of them with the cursor in it.
TEST_F(ResumeTest, FoldersThatGoWhileACheckRestsAreToldOnceToo) {
  Write("d19/inner/f", "1");
  Write("d39/inner/f", "1");
  Scan(Spec());
  fs::remove_all(tree_ / "d35");
  MakeItHang();
  ASSERT_TRUE(StartWhenFree("job", Spec(v1::IntegrityCheck::MODE_CHECK)).ok());
  ASSERT_TRUE(WaitFor([&](const auto&) { return Cursor().ends_with("d19/inner"); })) << Cursor();
  ASSERT_TRUE(runner_->Pause("job").ok());
  ASSERT_TRUE(WaitFor([](const auto& p) { return p.state() == v1::ScanProgress::STATE_PAUSED; }));
  for (const char* name : {"d19", "d30", "d39/inner"}) fs::remove_all(tree_ / name);
  LetItGoOn();
  ASSERT_TRUE(runner_->Resume("job").ok());
  const v1::ScanProgress end = WaitForEnd("job");
  EXPECT_EQ(end.state(), v1::ScanProgress::STATE_DONE) << end.message();
  const std::vector<std::string> expected = {
      "REMOVED /d19",       "REMOVED /d19/inner",    "REMOVED /d19/inner/f", "REMOVED /d19/x.locked",
      "REMOVED /d30",       "REMOVED /d30/x.locked", "REMOVED /d35",         "REMOVED /d35/x.locked",
      "REMOVED /d39/inner", "REMOVED /d39/inner/f"};
  EXPECT_EQ(SortedFindings(), expected);
  EXPECT_EQ(end.findings(), expected.size());
}

TEST_F(ResumeTest, ABaselineThatWasInterruptedIsWhole) {
  StartAndHang(Spec());
  runner_->Stop();
  LetItGoOn();
  Open();
  runner_->ResumeInterrupted();
  EXPECT_EQ(WaitForEnd("job").state(), v1::ScanProgress::STATE_DONE);
  const v1::ScanProgress checked = Scan(Spec(v1::IntegrityCheck::MODE_CHECK));
  EXPECT_EQ(checked.state(), v1::ScanProgress::STATE_DONE) << checked.message();
  EXPECT_EQ(checked.files_done(), 40U);
  EXPECT_TRUE(Findings().empty());
}

}  // namespace
}  // namespace cordon::agent
