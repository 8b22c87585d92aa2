#include "controller/store/target_matcher.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/store_box.h"

namespace cordon::controller {
namespace {

using testing::MakeLabel;

constexpr const char* kId = "11111111-2222-4333-8444-555555555555";
constexpr const char* kOther = "22222222-2222-4333-8444-555555555555";

// A host "Reception-1" of the site leeds with the label role=reception.
bool MatchesTheHost(const v1::Target& target) {
  const std::vector<v1::Label> labels = {MakeLabel("role", "reception")};
  return TargetMatcher(target).Matches(kId, "Reception-1", "leeds", labels);
}

TEST(TargetMatcher, AnEmptyTargetMeansNobody) {
  EXPECT_FALSE(MatchesTheHost({}));
}

TEST(TargetMatcher, AllMeansEverybody) {
  v1::Target target;
  target.set_all(true);
  EXPECT_TRUE(MatchesTheHost(target));
  EXPECT_TRUE(TargetMatcher(target).Matches("", "", "", {}));
}

TEST(TargetMatcher, ById) {
  v1::Target target;
  target.add_hosts()->set_host_id(kOther);
  EXPECT_FALSE(MatchesTheHost(target));
  target.add_hosts()->set_host_id(kId);
  EXPECT_TRUE(MatchesTheHost(target));
}

TEST(TargetMatcher, ByIdWithANameOnlyWhenBothAreTheHosts) {
  v1::Target target;
  target.add_hosts()->set_host_id(kId);
  target.mutable_hosts(0)->set_name("reception-2");
  EXPECT_FALSE(MatchesTheHost(target));
  target.mutable_hosts(0)->set_name("RECEPTION-1");
  EXPECT_TRUE(MatchesTheHost(target));
}

TEST(TargetMatcher, ByNameInAnyCase) {
  v1::Target target;
  target.add_hosts()->set_name("reception-2");
  EXPECT_FALSE(MatchesTheHost(target));
  target.add_hosts()->set_name("rEcEpTiOn-1");
  EXPECT_TRUE(MatchesTheHost(target));
}

TEST(TargetMatcher, AnEntryWithoutAnythingMeansNoHostWithoutAName) {
  v1::Target target;
  target.add_hosts();
  EXPECT_FALSE(MatchesTheHost(target));
  EXPECT_FALSE(TargetMatcher(target).Matches(kId, "", "leeds", {}));
}

TEST(TargetMatcher, BySite) {
  v1::Target target;
  target.add_sites("york");
  EXPECT_FALSE(MatchesTheHost(target));
  target.add_sites("leeds");
  EXPECT_TRUE(MatchesTheHost(target));
}

TEST(TargetMatcher, ByLabelWithKeyAndValue) {
  v1::Target target;
  *target.add_labels() = MakeLabel("role", "server");
  *target.add_labels() = MakeLabel("reception", "role");
  *target.add_labels() = MakeLabel("rolereception", "");
  EXPECT_FALSE(MatchesTheHost(target));
  *target.add_labels() = MakeLabel("role", "reception");
  EXPECT_TRUE(MatchesTheHost(target));
}

}  // namespace
}  // namespace cordon::controller
