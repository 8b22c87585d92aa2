#include "common/rules/rule_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cordon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr std::string_view kGood = R"(
import "math"
rule evil { strings: $a = "EVIL" condition: $a and math.entropy(0, filesize) >= 0.0 }
rule large { condition: filesize > 100 }
)";

std::string ErrorOf(std::string_view text) {
  const RuleText file{.file = "a.yar", .text = text};
  return std::string(RuleSet::Compile({&file, 1}).status().message());
}

TEST(RuleSet, TellsTheRulesThatMatchByFileAndName) {
  const RuleText files[] = {{.file = "a.yar", .text = kGood},
                            {.file = "b.yar", .text = "rule evil { strings: $a = \"VIL\" condition: $a }"}};
  const auto rules = RuleSet::Compile(files);
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_THAT(*rules->Scan("an EVIL file", std::chrono::seconds(5)), ElementsAre("a.yar:evil", "b.yar:evil"));
  EXPECT_THAT(*rules->Scan("a good file", std::chrono::seconds(5)), IsEmpty());
  EXPECT_THAT(*rules->Scan(std::string(200, 'x'), std::chrono::seconds(5)), ElementsAre("a.yar:large"));
  EXPECT_THAT(*rules->Scan("", std::chrono::seconds(5)), IsEmpty());
}

TEST(RuleSet, AUT6_ABadRuleIsRefusedWithFileAndLine) {
  EXPECT_THAT(ErrorOf("rule a {\n condition:\n  nonsense\n}"), StartsWith("a.yar:3: "));
  EXPECT_THAT(ErrorOf("rule a { condition: true }\nrule a { condition: true }"), StartsWith("a.yar:2: "));
  EXPECT_THAT(ErrorOf("rule a {"), StartsWith("a.yar:1: "));
  EXPECT_THAT(ErrorOf(std::string_view("rule\n\0", 6)), StartsWith("a.yar:2: a zero byte"));
  EXPECT_EQ(ErrorOf(kGood), "");
}

TEST(RuleSet, AUT6_RulesReadNothingBesideTheContent) {
  EXPECT_THAT(ErrorOf("include \"/etc/passwd\"\n"), StartsWith("a.yar:1: "));
  for (const char* module : {"cuckoo", "magic", "console"}) {
    const std::string text = std::string("\nimport \"") + module + "\"\nrule a { condition: true }";
    EXPECT_THAT(ErrorOf(text), StartsWith("a.yar:2: ")) << module;
  }
}

TEST(RuleSet, EveryBadFileIsTold) {
  const RuleText files[] = {{.file = "a.yar", .text = "rule"}, {.file = "b.yar", .text = "\nrule"}};
  const std::string error(RuleSet::Compile(files).status().message());
  EXPECT_THAT(error, HasSubstr("a.yar:1: "));
  EXPECT_THAT(error, HasSubstr("b.yar:2: "));
  const RuleText same[] = {{.file = "a.yar", .text = kGood}, {.file = "a.yar", .text = kGood}};
  EXPECT_THAT(std::string(RuleSet::Compile(same).status().message()), HasSubstr("two rule files"));
}

TEST(RuleSet, ARuleThatTakesTooLongIsStopped) {
  const RuleText file{
      .file = "a.yar",
      .text = "rule a { condition: for all i in (0..filesize * 20000000) : (uint8(i % 100) != 1) }"};
  const auto rules = RuleSet::Compile({&file, 1});
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(rules->Scan(std::string(100, 'x'), std::chrono::seconds(1)).status()));
}

}  // namespace
}  // namespace cordon
