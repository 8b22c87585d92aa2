#include "agent/scan/indicators.h"

#include <gtest/gtest.h>

namespace cordon::agent {
namespace {

v1::IndicatorCheck Patterns(std::initializer_list<const char*> patterns) {
  v1::IndicatorCheck check;
  for (const char* pattern : patterns) check.add_path_patterns(pattern);
  return check;
}

TEST(Indicators, APatternWithASlashIsForTheWholePathAndAnotherForTheName) {
  const Indicators indicators(Patterns({"*.locked", "/home/*/.ssh/*", "/tmp/x", "mimikatz.exe"}));
  for (const char* path : {"/a/b.locked", "/home/ann/.ssh/id", "/tmp/x", "/c/mimikatz.exe"}) {
    ASSERT_EQ(indicators.MatchPath(path).size(), 1U) << path;
    EXPECT_EQ(indicators.MatchPath(path).front().rule, "path");
  }
  for (const char* path : {"/a.locked/b", "/home/.ssh/id", "/tmp/x/y", "/c/mimikatz.exe.txt", "/"}) {
    EXPECT_TRUE(indicators.MatchPath(path).empty()) << path;
  }
  EXPECT_FALSE(indicators.NeedContent());
}

TEST(Indicators, DigestsAreHeldAgainstBothLists) {
  v1::IndicatorCheck check;
  check.add_sha256(std::string(32, 'a'));
  check.add_md5(std::string(16, 'b'));
  const Indicators indicators(check);
  EXPECT_TRUE(indicators.NeedMd5());
  EXPECT_TRUE(indicators.MatchDigests({.sha256 = std::string(32, 'x'), .md5 = std::string(16, 'x')}).empty());
  const auto both = indicators.MatchDigests({.sha256 = std::string(32, 'a'), .md5 = std::string(16, 'b')});
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0].rule, "sha256");
  EXPECT_EQ(both[1].detail, "MD5 62626262626262626262626262626262");
}

TEST(Indicators, WithoutAnyNothingIsRead) {
  EXPECT_FALSE(Indicators().NeedContent());
  EXPECT_TRUE(Indicators().MatchPath("/x").empty());
  EXPECT_TRUE(Indicators().MatchDigests({.sha256 = "", .md5 = ""}).empty());
}

}  // namespace
}  // namespace cordon::agent
