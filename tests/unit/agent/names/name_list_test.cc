#include "agent/names/name_list.h"

#include <gtest/gtest.h>

#include "common/base/strings.h"

namespace cordon::agent {
namespace {

using Names = std::vector<std::string>;

v1::Profile Profile(const std::vector<Names>& rules) {
  v1::Profile profile;
  for (const Names& names : rules) {
    v1::AllowRule* const rule = profile.add_allow();
    for (const std::string& name : names) rule->add_names(name);
  }
  return profile;
}

TEST(NameList, FindsExactNamesAndWildcards) {
  const NameList list(Profile({{"pms.example.vet", "*.cloud.example.vet"}, {"a.cloud.example.vet"}}));
  EXPECT_EQ(list.Find("pms.example.vet").patterns, (Names{"pms.example.vet"}));
  EXPECT_TRUE(list.Find("pms.example.vet").exact);
  EXPECT_EQ(list.Find("b.cloud.example.vet").patterns, (Names{"*.cloud.example.vet"}));
  EXPECT_FALSE(list.Find("b.cloud.example.vet").exact);
  EXPECT_EQ(list.Find("a.cloud.example.vet").patterns, (Names{"a.cloud.example.vet", "*.cloud.example.vet"}));
  EXPECT_EQ(list.Find("x.y.cloud.example.vet").patterns, (Names{"*.cloud.example.vet"}));
}

TEST(NameList, FindsNothingElse) {
  const NameList list(Profile({{"pms.example.vet", "*.cloud.example.vet"}}));
  ASSERT_TRUE(list.Find("b.cloud.example.vet")) << "the positive control";
  for (const char* name :
       {"", "example.vet", "cloud.example.vet", "xcloud.example.vet", "x.pms.example.vet",
        "pms.example.vet.evil.example", "*.cloud.example.vet", "PMS.example.vet", "a.b.c.cloud.example.vet",
        "a\\032b.cloud.example.vet", ".cloud.example.vet", "-a.cloud.example.vet"}) {
    EXPECT_FALSE(list.Find(name)) << name;
  }
}

// A long label is a letter with a stamp on it.
TEST(NameList, AWildcardTakesShortLabelsOnly) {
  const NameList list(Profile({{"*.cloud.example.vet"}}));
  const auto with = [&](size_t bytes) { return list.Find(std::string(bytes, 'x') + ".cloud.example.vet"); };
  EXPECT_TRUE(with(kMaxWildcardBytes));
  EXPECT_FALSE(with(kMaxWildcardBytes + 1));
  EXPECT_FALSE(list.Find(StrCat(std::string(20, 'x'), ".", std::string(20, 'x'), ".cloud.example.vet")));
}

TEST(NameList, RulesWithTheSameNamesShareASet) {
  const NameList list(Profile({{"a.example", "b.example"}, {}, {"b.example", "a.example"}, {"b.example"}}));
  EXPECT_EQ(list.SetCount(), 2U);
  EXPECT_EQ(list.SetOfRule(0), 0U);
  EXPECT_EQ(list.SetOfRule(1), std::nullopt);
  EXPECT_EQ(list.SetOfRule(2), 0U);
  EXPECT_EQ(list.SetOfRule(3), 1U);
  EXPECT_EQ(list.SetOfRule(4), std::nullopt);
  EXPECT_EQ(list.SetsOf("b.example"), (std::vector<size_t>{0, 1}));
  EXPECT_EQ(list.SetsOf("a.example"), (std::vector<size_t>{0}));
}

TEST(NameList, OtherNamesMayBeAskedForAndOpenNothing) {
  const NameList list(Profile({{"a.example"}}), {"controller.example", "192.0.2.7", "Bad Name"});
  EXPECT_TRUE(list.Find("controller.example").exact);
  EXPECT_TRUE(list.SetsOf("controller.example").empty());
  EXPECT_EQ(list.ExactNames(), (Names{"a.example"}));
  EXPECT_FALSE(NameList(v1::Profile(), {"controller.example"}).SetCount() > 0);
  EXPECT_TRUE(NameList(v1::Profile(), {"controller.example"}).Empty());
}

TEST(NameList, KnowsTheNetworksOfARule) {
  v1::Profile profile = Profile({{"a.example"}});
  profile.mutable_allow(0)->add_networks("169.254.0.0/16");
  const NameList list(profile);
  ASSERT_EQ(list.NetworksOf("a.example").size(), 1U);
  EXPECT_TRUE(list.NetworksOf("b.example").empty());
}

}  // namespace
}  // namespace cordon::agent
