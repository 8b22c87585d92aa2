// Indicators on real trees and real processes.

#include <absl/cleanup/cleanup.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "agent/scan/content_pool.h"
#include "common/base/hex.h"
#include "common/base/strings.h"
#include "common/crypto/digest.h"
#include "tests/integration/scan/scan_fixture.h"
#include "tests/support/subprocess.h"

namespace cordon::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class IndicatorTest : public ScanTest {
 protected:
  static v1::ScanSpec Indicators() {
    v1::ScanSpec spec;
    spec.mutable_indicators();
    spec.set_full_speed(true);
    return spec;
  }
  static std::string Md5(const std::string& content) {
    Md5Stream md5;
    md5.Update(content);
    return md5.Finish();
  }
  static void AddRules(v1::ScanSpec* spec, const std::string& text = "rule evil") {
    v1::RuleFile& rules = *spec->mutable_indicators()->add_yara();
    rules.set_name("a.yar");
    rules.set_content(text);
  }
  // "rule name" per finding of the last scan.
  std::vector<std::string> Matches() {
    std::vector<std::string> found;
    const auto events = sink_.Events();
    for (size_t i = findings_before_; i < events.size(); ++i) {
      const v1::Finding& finding = events[i].event.finding();
      const std::string kind = finding.kind() == v1::Finding::KIND_INDICATOR
                                   ? finding.rule()
                                   : v1::Finding::Kind_Name(finding.kind());
      found.push_back(kind + " " + finding.path().substr(tree_.Path().string().size()));
    }
    return found;
  }
};

TEST_F(IndicatorTest, OneWalkFindsExactlyWhatWasPlantedAndComparesWithTheBaseline) {
  for (int i = 0; i < 200; ++i)
    Write("d" + std::to_string(i % 9) + "/f" + std::to_string(i), std::to_string(i));
  Scan(Spec());
  Write("d1/by-sha256", "known bad 1");
  Write("d2/by-md5", "known bad 2");
  Write("d3/x.locked", "");
  Write("d4/by-rule", "an EVIL file");
  v1::ScanSpec spec = Indicators();
  spec.mutable_integrity();
  spec.mutable_indicators()->add_sha256(Sha256("known bad 1"));
  spec.mutable_indicators()->add_md5(Md5("known bad 2"));
  spec.mutable_indicators()->add_path_patterns("*.locked");
  AddRules(&spec);
  const v1::ScanProgress progress = Scan(spec);
  EXPECT_EQ(progress.state(), v1::ScanProgress::STATE_DONE) << progress.message();
  EXPECT_EQ(progress.files_done(), 204U);
  EXPECT_THAT(Matches(), UnorderedElementsAre("sha256 /d1/by-sha256", "md5 /d2/by-md5", "path /d3/x.locked",
                                              "a.yar:evil /d4/by-rule", "KIND_ADDED /d1/by-sha256",
                                              "KIND_ADDED /d2/by-md5", "KIND_ADDED /d3/x.locked",
                                              "KIND_ADDED /d4/by-rule"));
  v1::ScanReport report;
  ASSERT_TRUE(report.ParseFromString(progress.report()));
  EXPECT_EQ(report.host_id(), "host");
  EXPECT_EQ(report.findings(), 8U);
  EXPECT_EQ(report.baseline_sha256(), report.baseline_before_sha256());
  EXPECT_THAT(report.roots(), ElementsAre(tree_.Path().string()));
}

TEST_F(IndicatorTest, UnchangedFilesAreReadForIndicatorsAllTheSame) {
  Write("old", "known bad");
  Scan(Spec());
  v1::ScanSpec spec = Indicators();
  spec.mutable_integrity();
  spec.mutable_indicators()->add_sha256(Sha256("known bad"));
  Scan(spec);
  EXPECT_THAT(Matches(), ElementsAre("sha256 /old"));
}

TEST_F(IndicatorTest, PathsAloneNeedNoContent) {
  Write("a/mimikatz.exe", "0123456789");
  ASSERT_EQ(chmod((tree_ / "a/mimikatz.exe").c_str(), 0), 0);
  v1::ScanSpec spec = Indicators();
  spec.mutable_indicators()->add_path_patterns("mimikatz.exe");
  Scan(spec);
  EXPECT_THAT(Matches(), ElementsAre("path /a/mimikatz.exe"));
}

TEST_F(IndicatorTest, BadRulesAreRefusedAndNothingRuns) {
  Write("x.locked", "");
  v1::ScanSpec spec = Indicators();
  spec.mutable_indicators()->add_path_patterns("*.locked");
  AddRules(&spec, "BAD");
  const v1::ScanProgress refused = Scan(spec);
  EXPECT_EQ(refused.message(), "refused: yara: a.yar:3: BAD");
  EXPECT_THAT(Matches(), IsEmpty());
  spec.mutable_indicators()->clear_yara();  // and the runner is free, and does find it
  Scan(spec);
  EXPECT_THAT(Matches(), ElementsAre("path /x.locked"));
}

TEST_F(IndicatorTest, MoreAttributesThanCanBeListedHideNoContent) {
  if (geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  fs::create_directory(tree_ / "t");
  ASSERT_EQ(mount("cordon-test", (tree_ / "t").c_str(), "tmpfs", 0, "size=4m"), 0);
  const absl::Cleanup unmount = [&] { umount2((tree_ / "t").c_str(), MNT_DETACH); };
  Write("t/f", "an EVIL file");
  for (int i = 0; i < 300; ++i) {
    const std::string name = StrCat("trusted.", 1000 + i, std::string(240, 'x'));
    ASSERT_EQ(setxattr((tree_ / "t/f").c_str(), name.c_str(), "", 0, 0), 0);
  }
  std::vector<char> largest(64 * 1024);  // that the system gives a list for
  ASSERT_LT(listxattr((tree_ / "t/f").c_str(), largest.data(), largest.size()), 0);
  Scan(Spec());
  std::ofstream(tree_ / "t/f") << "another EVIL file";
  v1::ScanSpec spec = Indicators();
  spec.mutable_integrity();
  spec.mutable_indicators()->add_sha256(Sha256("another EVIL file"));
  AddRules(&spec);
  const v1::ScanProgress progress = Scan(spec);
  EXPECT_THAT(Matches(), UnorderedElementsAre("sha256 /t/f", "a.yar:evil /t/f", "KIND_CONTENT /t/f"));
  ASSERT_EQ(progress.not_scanned_count(), 1U);
  EXPECT_THAT(progress.not_scanned(0).reason(), HasSubstr("cannot read the attributes"));
}

TEST_F(IndicatorTest, RulesAreNotHeldBackWhileTheirTimeRuns) {
  Write("f", "an EVIL file");
  v1::ScanSpec spec = Indicators();
  AddRules(&spec);
  std::vector<std::unique_ptr<RuleScanner>> scanners;
  scanners.push_back(std::make_unique<RuleScanner>(
      platform::SandboxCommand{.program = StrCat(kBinaryDir, "/tests/scanner_stand_in"), .arguments = {}},
      spec.indicators()));
  std::atomic<int> held_back = 0;
  std::atomic<int> asked = 0;
  ContentPool pool({}, [&] { return ++held_back, true; }, [&] { return ++asked, true; }, std::move(scanners));
  ContentPool::Job job{.path = tree_ / "f"};
  ASSERT_TRUE(pool.TrySubmit(&job));
  std::vector<ContentPool::Result> results;
  pool.Take(std::chrono::seconds(20), &results);
  ASSERT_EQ(results.size(), 1U);
  ASSERT_TRUE(results[0].content.ok()) << results[0].content.status();
  EXPECT_THAT(*results[0].content->rules, ElementsAre("a.yar:evil"));
  EXPECT_EQ(held_back, 1) << "before the one piece that the file has";
  EXPECT_GE(asked, 3) << "before the file is opened, for the rules to be compiled, and for the match";
}

TEST_F(IndicatorTest, AFileThatEndsTheScanningProcessIsOneFindingAndTheScanCompletes) {
  for (int i = 0; i < 20; ++i) Write("f" + std::to_string(i), "an EVIL file");
  Write("f7", "CRASH");
  Write("f8", "CRASH");
  v1::ScanSpec spec = Indicators();
  AddRules(&spec);
  const v1::ScanProgress progress = Scan(spec);
  EXPECT_EQ(progress.state(), v1::ScanProgress::STATE_DONE) << progress.message();
  EXPECT_EQ(progress.files_done(), 20U);
  const std::vector<std::string> matches = Matches();
  EXPECT_EQ(matches.size(), 20U);
  EXPECT_EQ(std::ranges::count(matches, "KIND_SCANNER /f7"), 1);
  EXPECT_EQ(std::ranges::count(matches, "KIND_SCANNER /f8"), 1);
  EXPECT_THAT(matches, Contains("a.yar:evil /f9"));
  EXPECT_TRUE(sink_.WaitFor([](const v1::Event& event) {
    return event.finding().detail().contains("ended by signal " + std::to_string(SIGABRT));
  }));
}

// At full speed there are two threads, with a process each.
TEST_F(IndicatorTest, FilesThatEndTheScanningProcessAgainAndAgainEndTheRulesAndNotTheScan) {
  constexpr uint64_t kMost = uint64_t{2} * kMostLostProcesses;
  constexpr uint64_t kFiles = kMost + 20;
  for (uint64_t i = 0; i < kFiles; ++i) Write(StrCat("f", i), "CRASH");
  v1::ScanSpec spec = Indicators();
  AddRules(&spec);
  const v1::ScanProgress progress = Scan(spec);
  EXPECT_EQ(progress.state(), v1::ScanProgress::STATE_DONE) << progress.message();
  EXPECT_EQ(progress.files_done(), kFiles);
  EXPECT_LE(progress.findings(), kMost);
  EXPECT_EQ(progress.findings() + progress.not_scanned_count(), kFiles) << "each is named";
  ASSERT_GT(progress.not_scanned_size(), 0);
  EXPECT_THAT(progress.not_scanned(0).reason(), HasSubstr("rules are not applied any more"));
}

TEST_F(IndicatorTest, RunningProgramsAreFoundAlsoWhenTheirFileIsGone) {
  const fs::path program = tree_ / "implant";
  fs::copy_file("/bin/sleep", program);
  std::ofstream(program, std::ios::app) << "of a kind of its own";
  std::ifstream file(program, std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const testing::Subprocess running({program.string(), "1000"});
  fs::remove(program);
  v1::ScanSpec spec = Indicators();
  spec.mutable_indicators()->add_sha256(Sha256(content));
  spec.mutable_indicators()->set_running_processes(true);
  const v1::ScanProgress progress = Scan(spec);
  EXPECT_EQ(progress.state(), v1::ScanProgress::STATE_DONE) << progress.message();
  EXPECT_THAT(Matches(), ElementsAre("sha256 /implant"));
  const v1::Finding finding = sink_.Events().back().event.finding();
  EXPECT_EQ(finding.pid(), static_cast<uint32_t>(running.Pid()));
  EXPECT_EQ(finding.executable(), program.string());
  EXPECT_THAT(finding.detail(), HasSubstr("no more on disk"));
}

}  // namespace
}  // namespace cordon::agent
