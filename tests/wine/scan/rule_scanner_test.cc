// agent/scan's rules on Windows' sandboxed child: the real scanning process, and one that crashes when it is
// told to.

#include "agent/scan/rule_scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/rules/rule_set.h"
#include "tests/wine/platform/wine.h"

namespace cordon::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

bool Always() {
  return true;
}

class WindowsRules : public ::testing::Test {
 protected:
  RuleScanner Scanner(const std::string& program, const std::string& rules) {
    v1::IndicatorCheck check;
    v1::RuleFile& file = *check.add_yara();
    file.set_name("a.yar");
    file.set_content(rules);
    return {platform::SandboxCommand{.program = testing::BesideThisProgram(program), .arguments = {}}, check};
  }
  platform::OpenFile FileOf(const std::string& content) {
    const auto path = folder_ / StrCat(++files_);
    std::ofstream(path, std::ios::binary) << content;
    return Open(path);
  }
  static platform::OpenFile Open(const std::filesystem::path& path) {
    absl::StatusOr<platform::OpenFile> file = platform::OpenForReading(path);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }
  static bool HaveYara() { return !absl::IsUnimplemented(RuleSet::Compile({}).status()); }

  testing::WindowsFolder folder_;
  int files_ = 0;
};

TEST_F(WindowsRules, MatchWhatTheyDescribeAndNothingElse) {
  if (!HaveYara()) GTEST_SKIP() << "built without YARA: its source could not be had";
  RuleScanner scanner = Scanner("scanner_program.exe", R"(
import "pe"
import "hash"
rule evil { strings: $a = "EVIL" condition: $a }
rule program { condition: pe.is_64bit() and pe.number_of_sections > 2 }
rule known { condition:
  hash.sha256(0, filesize) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" }
)");
  ASSERT_TRUE(scanner.Prepare(Always).ok()) << scanner.Prepare(Always);
  EXPECT_THAT(*scanner.Search(FileOf("an EVIL file"), Always), ElementsAre("a.yar:evil"));
  EXPECT_THAT(*scanner.Search(FileOf("a good file"), Always), IsEmpty());
  EXPECT_THAT(*scanner.Search(FileOf(""), Always), IsEmpty());
  EXPECT_THAT(*scanner.Search(FileOf("abc"), Always), ElementsAre("a.yar:known"));
  EXPECT_THAT(*scanner.Search(Open(testing::BesideThisProgram("scanner_program.exe")), Always),
              ::testing::Contains("a.yar:program"));
}

TEST_F(WindowsRules, AUT6_BadOnesAreRefusedWithFileAndLine) {
  if (!HaveYara()) GTEST_SKIP() << "built without YARA: its source could not be had";
  const absl::Status refused =
      Scanner("scanner_program.exe", "rule a {\n condition:\n  nonsense\n}").Prepare(Always);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), StartsWith("yara: a.yar:3: "));
}

TEST_F(WindowsRules, ACrashIsToldOfItsFileAloneAndTheNextOneIsSearched) {
  RuleScanner scanner = Scanner("scanner_stand_in.exe", "rule evil");
  const auto crash = scanner.Search(FileOf("CRASH"), Always);
  EXPECT_EQ(crash.status().code(), absl::StatusCode::kAborted) << crash.status();
  EXPECT_THAT(std::string(crash.status().message()), HasSubstr("the scanning process ended "));
  const auto next = scanner.Search(FileOf("an EVIL file"), Always);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_THAT(*next, ElementsAre("a.yar:evil"));
}

TEST_F(WindowsRules, AFileThatNobodyWantsAnyMoreIsLeft) {
  RuleScanner scanner = Scanner("scanner_stand_in.exe", "rule evil");
  ASSERT_TRUE(scanner.Prepare(Always).ok());
  EXPECT_TRUE(absl::IsCancelled(scanner.Search(FileOf("x"), [] { return false; }).status()));
}

}  // namespace
}  // namespace cordon::agent
