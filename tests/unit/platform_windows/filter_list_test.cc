#include "platform/windows/packet_filter/filter_list.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "common/base/strings.h"
#include "tests/support/build_paths.h"
#include "tests/support/policies.h"
#include "tests/unit/platform_windows/lists.h"

namespace cordon::platform::wfp {
namespace {

using ::cordon::testing::ClinicPolicy;
using ::cordon::testing::LevelName;

class WfpLists : public ::testing::TestWithParam<Level> {};

// Compares with a file that a person can review; scripts/update-goldens writes them anew.
TEST_P(WfpLists, IsAsReviewed) {
  std::string text;
  for (const Filter& filter : MakeFilterList(ClinicPolicy(GetParam()), Who()))
    StrAppend(&text, Describe(filter), "  # ", filter.name, "\n");
  const std::string path =
      StrCat(testing::kSourceDir, "/tests/unit/platform_windows/golden/", LevelName(GetParam()), ".wfp");
  if (std::getenv("CORDON_UPDATE_GOLDENS") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(text, golden.str()) << "run scripts/update-goldens and review the difference";
}

// WFP does not say which of two filters of equal weight it asks first: so they must say the same.
TEST_P(WfpLists, FiltersOfOneWeightHaveOneAction) {
  std::map<std::pair<Layer, uint64_t>, std::set<Action>> actions;
  for (const Filter& filter : MakeFilterList(ClinicPolicy(GetParam()), Who()))
    actions[{filter.layer, filter.weight}].insert(filter.action);
  for (const auto& [where, each] : actions) EXPECT_EQ(each.size(), 1U) << "weight " << where.second;
}

TEST_P(WfpLists, EveryFilterHasAKeyOfItsOwn) {
  const std::vector<Filter> filters = MakeFilterList(ClinicPolicy(GetParam()), Who());
  std::set<FilterKey> keys;
  for (const Filter& filter : filters) keys.insert(KeyOf(filter));
  EXPECT_EQ(keys.size(), filters.size());
}

// Only the agent's own channel may override the rules of others: a profile opens nothing that they close.
TEST_P(WfpLists, OnlyTheChannelIsHard) {
  for (const Filter& filter : MakeFilterList(ClinicPolicy(GetParam()), Who())) {
    if (filter.action == Action::kHardPermit) {
      EXPECT_EQ(filter.name, "the agent's channel");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, WfpLists, ::testing::ValuesIn(testing::kAllLevels), [](const auto& level) {
  std::string name = LevelName(level.param);
  std::erase(name, '-');
  return name;
});

TEST(WfpList, OfObserveIsEmpty) {
  EXPECT_TRUE(MakeFilterList(ClinicPolicy(Level::kObserve), Who()).empty());
}

TEST(WfpList, ARuleWhoseProgramIsNotThereOpensNothing) {
  FilterPolicy policy{.level = Level::kEssential};
  policy.allow = {testing::Allow(FlowDirection::kOut, FlowProtocol::kTcp, {"10.2.0.0/16"}, {{443, 443}})};
  const size_t without = MakeFilterList({.level = Level::kEssential}, Who()).size();
  EXPECT_GT(MakeFilterList(policy, Who()).size(), without);
  policy.allow.front().program = 0;
  policy.programs = {{.path = R"(C:\gone.exe)", .sha256 = ""}};
  Identities who = Who();
  who.programs = {""};
  EXPECT_EQ(MakeFilterList(policy, who).size(), without);
}

// A rule with peers of one family must not become a permit for every address of the other.
TEST(WfpList, NoProfilePermitLacksItsPeers) {
  FilterPolicy policy{.level = Level::kEssential};
  policy.allow = {testing::Allow(FlowDirection::kBoth, FlowProtocol::kUdp, {"10.2.0.0/16"}, {})};
  for (const Filter& filter : MakeFilterList(policy, Who())) {
    if (!filter.name.starts_with("profile")) continue;
    EXPECT_FALSE(filter.layer.v6);
    EXPECT_TRUE(std::ranges::any_of(
        filter.conditions, [](const Condition& each) { return each.field == Field::kRemoteAddress; }));
  }
}

}  // namespace
}  // namespace cordon::platform::wfp
