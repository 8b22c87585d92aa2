#include "platform/windows/packet_filter/wfp_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "common/base/status.h"
#include "tests/fakes/fake_filter_engine.h"
#include "tests/support/policies.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/platform_windows/lists.h"

namespace cordon::platform::wfp {
namespace {

using ::cordon::testing::ClinicPolicy;
using ::cordon::testing::IsOk;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

using World = ::cordon::testing::FilterWorld;

class WfpFilterTest : public ::testing::Test {
 protected:
  std::unique_ptr<PacketFilter> Make() {
    return MakeWfpFilter(
        [this]() -> absl::StatusOr<std::unique_ptr<FilterEngine>> {
          CORDON_RETURN_IF_ERROR(world_.Call("open"));
          ++world_.opened;
          return std::make_unique<cordon::testing::FakeFilterEngine>(&world_);
        },
        {.executable = "cordon-agent.exe", .service_sid = kAgentService});
  }
  HeldFilter Foreign(Action action, uint16_t weight, std::vector<Condition> conditions = {}) {
    return {.key = {9},
            .filter = {.name = "silencer",
                       .layer = {Stage::kConnect, false},
                       .action = action,
                       .weight = 1,
                       .conditions = std::move(conditions)},
            .of_cordon = false,
            .provider = "Somebody",
            .sublayer_weight = weight,
            .sublayer = "theirs"};
  }
  World world_;
};

TEST_F(WfpFilterTest, ISO1_ApplyIsOneTransaction) {
  const auto filter = Make();
  EXPECT_THAT(filter->Apply(ClinicPolicy(Level::kEssential)), IsOk());
  EXPECT_EQ(world_.Count("begin"), 1);
  EXPECT_EQ(world_.Count("commit"), 1);
  EXPECT_EQ(world_.Count("abort"), 0);
  EXPECT_EQ(world_.calls.back(), "commit");
  const absl::StatusOr<FilterReadback> readback = filter->ReadBack(ClinicPolicy(Level::kEssential));
  ASSERT_THAT(readback, IsOk());
  EXPECT_TRUE(readback->matches);
  EXPECT_FALSE(readback->absent);
  EXPECT_EQ(readback->ruleset_sha256.size(), 32U);
}

TEST_F(WfpFilterTest, ApplyingTwiceTouchesNoFilter) {
  const auto filter = Make();
  ASSERT_THAT(filter->Apply(ClinicPolicy(Level::kEssential)), IsOk());
  const int added = world_.Count("add filter");
  EXPECT_GT(added, 0);
  ASSERT_THAT(filter->Apply(ClinicPolicy(Level::kEssential)), IsOk());
  EXPECT_EQ(world_.Count("add filter"), added);
  EXPECT_EQ(world_.Count("delete filter"), 0);
}

TEST_F(WfpFilterTest, ObserveLeavesNothingOfCordonAndAllOfOthers) {
  world_.held.push_back(Foreign(Action::kBlock, 5));
  const auto filter = Make();
  ASSERT_THAT(filter->Apply(ClinicPolicy(Level::kDark)), IsOk());
  ASSERT_THAT(filter->Apply(ClinicPolicy(Level::kObserve)), IsOk());
  ASSERT_EQ(world_.held.size(), 1U);
  EXPECT_FALSE(world_.held.front().of_cordon);
  EXPECT_FALSE(world_.sublayer);
  const absl::StatusOr<FilterReadback> readback = filter->ReadBack(ClinicPolicy(Level::kObserve));
  ASSERT_THAT(readback, IsOk());
  EXPECT_TRUE(readback->absent);
  EXPECT_TRUE(readback->matches);
}

// Every call that can fail, at its first and at a later use: nothing changes, the error names the step, the
// transaction is aborted where one was begun, and the next Apply starts with a new session and succeeds.
class WfpFailure : public WfpFilterTest, public ::testing::WithParamInterface<std::pair<const char*, int>> {};

TEST_P(WfpFailure, ChangesNothingAndIsOverThen) {
  const auto filter = Make();
  // To essential filters are added only, so a deletion that fails needs the other way.
  const bool downwards = std::string_view(GetParam().first) == "delete filter";
  ASSERT_THAT(filter->Apply(ClinicPolicy(downwards ? Level::kEssential : Level::kControllerOnly)), IsOk());
  const std::vector<HeldFilter> before = world_.held;
  world_.calls.clear();
  world_.fail_at = GetParam().first;
  world_.fail_after = GetParam().second;
  const Level next = world_.fail_at == "delete sublayer" ? Level::kObserve
                     : downwards                         ? Level::kControllerOnly
                                                         : Level::kEssential;
  const absl::Status failed = filter->Apply(ClinicPolicy(next));
  EXPECT_FALSE(failed.ok());
  EXPECT_EQ(world_.held.size(), before.size());
  EXPECT_TRUE(world_.sublayer);
  const bool begun = world_.Count("begin") > 0 && world_.fail_at != "begin";
  if (begun) {
    EXPECT_EQ(world_.Count("abort"), 1);
  }
  if (begun) {
    EXPECT_THAT(std::string(Message(failed)), StartsWith("WFP: "));
  }
  world_.fail_at.clear();
  EXPECT_THAT(filter->Apply(ClinicPolicy(next)), IsOk());
  EXPECT_EQ(world_.opened, 2);
}

INSTANTIATE_TEST_SUITE_P(Calls, WfpFailure,
                         ::testing::Values(std::pair{"list", 0}, std::pair{"program", 0},
                                           std::pair{"begin", 0}, std::pair{"add sublayer", 0},
                                           std::pair{"add filter", 0}, std::pair{"add filter", 3},
                                           std::pair{"delete filter", 0}, std::pair{"delete sublayer", 0},
                                           std::pair{"commit", 0}));

TEST_F(WfpFilterTest, AnAbortThatFailsIsToldToo) {
  const auto filter = Make();
  world_.fail_at = "commit";
  world_.abort_fails = true;
  const absl::Status failed = filter->Apply(ClinicPolicy(Level::kDark));
  EXPECT_THAT(std::string(Message(failed)), HasSubstr("WFP: commit"));
  EXPECT_THAT(std::string(Message(failed)), HasSubstr("error 6"));
  EXPECT_THAT(world_.held, IsEmpty());
}

TEST_F(WfpFilterTest, WithoutAnEngineNothingIsClaimed) {
  world_.fail_at = "open";
  const auto filter = Make();
  EXPECT_FALSE(filter->Apply(ClinicPolicy(Level::kDark)).ok());
  EXPECT_FALSE(filter->ReadBack(ClinicPolicy(Level::kDark)).ok());
}

// ISO-6, ISO-7: what somebody took away, added or replaced under its key is found and put right.
TEST_F(WfpFilterTest, ISO7_ReadBackFindsWhatSomebodyChanged) {
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  const auto filter = Make();
  ASSERT_THAT(filter->Apply(policy), IsOk());
  const std::vector<HeldFilter> good = world_.held;

  world_.held.pop_back();
  EXPECT_THAT(filter->ReadBack(policy)->differences, Contains(HasSubstr("missing")));

  world_.held = good;
  ASSERT_EQ(world_.held.back().filter.action, Action::kBlock);
  world_.held.back().filter.action = Action::kPermit;
  const FilterReadback replaced = *filter->ReadBack(policy);
  EXPECT_FALSE(replaced.matches);
  EXPECT_THAT(replaced.differences, Contains(HasSubstr("not of this policy")));

  world_.held = good;
  HeldFilter added = good.front();
  added.key = {7};
  added.filter.weight = 99;
  world_.held.push_back(added);
  EXPECT_FALSE(filter->ReadBack(policy)->matches);

  ASSERT_THAT(filter->Apply(policy), IsOk());
  EXPECT_TRUE(filter->ReadBack(policy)->matches);
}

TEST_F(WfpFilterTest, ISO7_AHardPermitBesideCordonsIsADifference) {
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  const auto filter = Make();
  ASSERT_THAT(filter->Apply(policy), IsOk());
  world_.held.push_back(Foreign(Action::kHardPermit, 0xfffe));
  EXPECT_TRUE(filter->ReadBack(policy)->matches);  // below: it opens nothing
  world_.held.back().sublayer_weight = 0xffff;
  const FilterReadback readback = *filter->ReadBack(policy);
  EXPECT_FALSE(readback.matches);
  EXPECT_THAT(readback.differences, Contains(HasSubstr("silencer")));
}

TEST_F(WfpFilterTest, AProgramThatIsGoneIsNoError) {
  FilterPolicy policy = ClinicPolicy(Level::kEssential);
  policy.programs = {{.path = "gone.exe", .sha256 = ""}};
  const auto filter = Make();
  EXPECT_THAT(filter->Apply(policy), IsOk());
  EXPECT_TRUE(filter->ReadBack(policy)->matches);
}

// The other programs' rules, and the level itself, are in force all the same.
TEST_F(WfpFilterTest, ISO7_AProgramThatCannotBeNamedShutsItsOwnRulesAlone) {
  FilterPolicy policy = ClinicPolicy(Level::kEssential);
  ASSERT_EQ(policy.programs.size(), 2U);
  policy.programs[0].path = "locked.exe";
  const auto filter = Make();
  ASSERT_THAT(filter->Apply(policy), IsOk());
  EXPECT_TRUE(filter->ReadBack(policy)->matches);
  const auto names = [&](const std::string& program) {
    return std::ranges::any_of(world_.held, [&](const HeldFilter& each) {
      return Describe(each.filter).find(program) != std::string::npos;
    });
  };
  EXPECT_FALSE(names("locked.exe"));
  EXPECT_TRUE(names(policy.programs[1].path));
  EXPECT_THAT(filter->ReadBack(policy)->notes,
              ElementsAre("WFP: the profile's rules for locked.exe open nothing: access is denied (5)"));
  policy.programs[0].path = "pms.exe";
  ASSERT_THAT(filter->Apply(policy), IsOk());
  EXPECT_THAT(filter->ReadBack(policy)->notes, IsEmpty());
}

// A permit that is bound to the system's account in place of the service is told wherever a receipt is read.
TEST_F(WfpFilterTest, AnAgentWithoutTheServicesSidSaysSoWhileIsolated) {
  const auto filter = MakeWfpFilter(
      [this]() -> absl::StatusOr<std::unique_ptr<FilterEngine>> {
        return std::make_unique<cordon::testing::FakeFilterEngine>(&world_);
      },
      {.executable = "agent.exe", .service_sid = kSystemSid, .note = "the service's own SID is missing"});
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  ASSERT_THAT(filter->Apply(policy), IsOk());
  const FilterReadback readback = *filter->ReadBack(policy);
  EXPECT_TRUE(readback.matches) << "it is no leak";
  EXPECT_THAT(readback.notes, ElementsAre("the service's own SID is missing"));
  EXPECT_THAT(filter->ReadBack(ClinicPolicy(Level::kObserve))->notes, IsEmpty()) << "nothing is bound";
}

TEST_F(WfpFilterTest, TheAgentItselfMustBeNamed) {
  const auto filter = MakeWfpFilter(
      [this]() -> absl::StatusOr<std::unique_ptr<FilterEngine>> {
        return std::make_unique<cordon::testing::FakeFilterEngine>(&world_);
      },
      {.executable = "locked.exe", .service_sid = kAgentService});
  EXPECT_THAT(std::string(Message(filter->Apply(ClinicPolicy(Level::kEssential)))),
              HasSubstr("access is denied"));
  EXPECT_THAT(world_.held, IsEmpty());
}

// At its start the engine can disable filters: they stand in the list and judge nothing.
TEST_F(WfpFilterTest, ISO5_ADisabledFilterIsADifferenceAndIsMadeAnew) {
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  const auto filter = Make();
  ASSERT_THAT(filter->Apply(policy), IsOk());
  EXPECT_TRUE(filter->ReadBack(policy)->matches);
  world_.held.front().disabled = true;
  const FilterReadback one = *filter->ReadBack(policy);
  EXPECT_FALSE(one.matches);
  EXPECT_FALSE(one.absent);
  EXPECT_THAT(one.differences, Contains(HasSubstr("disabled")));
  for (HeldFilter& each : world_.held) each.disabled = true;
  EXPECT_TRUE(filter->ReadBack(policy)->absent);
  ASSERT_THAT(filter->Apply(policy), IsOk());
  EXPECT_TRUE(filter->ReadBack(policy)->matches);
  EXPECT_TRUE(std::ranges::none_of(world_.held, &HeldFilter::disabled));
}

// Who takes one of Cordon's keys for a filter elsewhere must not keep it from isolating.
TEST_F(WfpFilterTest, ISO5_SomebodysFilterUnderAKeyOfCordonsGivesWay) {
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  const auto filter = Make();
  ASSERT_THAT(filter->Apply(policy), IsOk());
  const FilterKey listed = world_.held[0].key;
  const FilterKey unlisted = world_.held[1].key;
  ASSERT_THAT(filter->Apply(ClinicPolicy(Level::kObserve)), IsOk());
  world_.held.push_back(Foreign(Action::kPermit, 5));
  world_.held.back().key = listed;
  world_.held.push_back(Foreign(Action::kBlock, 5));  // with a key of their own
  world_.unlisted = {unlisted};
  world_.calls.clear();
  ASSERT_THAT(filter->Apply(policy), IsOk());
  EXPECT_TRUE(filter->ReadBack(policy)->matches);
  EXPECT_EQ(world_.Count("begin"), 1);
  EXPECT_EQ(world_.Count("delete filter"), 2);
  EXPECT_EQ(std::ranges::count(world_.held, false, &HeldFilter::of_cordon), 1) << "the other is not Cordon's";
}

TEST_F(WfpFilterTest, SomebodysFilterInCordonsSublayerDoesNotHoldUpARelease) {
  const auto filter = Make();
  ASSERT_THAT(filter->Apply(ClinicPolicy(Level::kDark)), IsOk());
  world_.sublayer_used = true;
  ASSERT_THAT(filter->Apply(ClinicPolicy(Level::kObserve)), IsOk());
  EXPECT_THAT(world_.held, IsEmpty());
  const FilterReadback readback = *filter->ReadBack(ClinicPolicy(Level::kObserve));
  EXPECT_TRUE(readback.matches);
  EXPECT_TRUE(readback.absent);
}

TEST_F(WfpFilterTest, ISO7_ASublayerThatIsNotAsCordonMakesItIsMadeAnewInOneStep) {
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  const auto filter = Make();
  ASSERT_THAT(filter->Apply(policy), IsOk());
  const size_t filters = world_.held.size();
  world_.sublayer_right = false;
  EXPECT_FALSE(filter->ReadBack(policy)->matches);
  world_.calls.clear();
  ASSERT_THAT(filter->Apply(policy), IsOk());
  EXPECT_EQ(world_.Count("begin"), 1);
  EXPECT_TRUE(world_.sublayer_right);
  EXPECT_TRUE(filter->ReadBack(policy)->matches);
  EXPECT_EQ(world_.held.size(), filters);
}

// The filters are in force, and the read-back does not hide what is wrong.
TEST_F(WfpFilterTest, ISO7_ASublayerThatSomebodyKeepsWrongIsTold) {
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  const auto filter = Make();
  ASSERT_THAT(filter->Apply(ClinicPolicy(Level::kDark)), IsOk());
  world_.sublayer_right = false;
  world_.sublayer_used = true;
  ASSERT_THAT(filter->Apply(policy), IsOk());
  const FilterReadback readback = *filter->ReadBack(policy);
  EXPECT_THAT(readback.differences, ::testing::ElementsAre(HasSubstr("not as Cordon makes it")));
}

TEST_F(WfpFilterTest, NamesNeedRulesThatStand) {
  const auto filter = Make();
  EXPECT_EQ(filter->UpdateNames(ClinicPolicy(Level::kEssential)).code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_THAT(filter->Apply(ClinicPolicy(Level::kEssential)), IsOk());
  EXPECT_THAT(filter->UpdateNames(ClinicPolicy(Level::kEssential)), IsOk());
}

// What somebody took away is for Apply, and for the event that names it (ISO-6).
TEST_F(WfpFilterTest, NamesPutNothingElseRight) {
  const auto filter = Make();
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  ASSERT_THAT(filter->Apply(policy), IsOk());
  const auto block = std::ranges::find(world_.held, Action::kBlock,
                                       [](const HeldFilter& each) { return each.filter.action; });
  ASSERT_NE(block, world_.held.end());
  world_.held.erase(block);
  const size_t held = world_.held.size();
  EXPECT_EQ(filter->UpdateNames(policy).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(world_.held.size(), held);
  EXPECT_FALSE(filter->ReadBack(policy)->matches);
}

TEST(SidOfAgent, IsTheServicesWhereTheTokenHasItAndElseTheSystems) {
  EXPECT_EQ(SidOfAgent(kAgentService, true, true), kAgentService);
  EXPECT_EQ(SidOfAgent(kAgentService, false, true), kSystemSid);
  EXPECT_EQ(SidOfAgent(kAgentService, false, false), kAgentService)
      << "a person who tries the program gets no way out";
}

// With either SID the way to the controller is the agent's alone.
TEST(SidOfAgent, ISO4_TheChannelIsOpenForTheAgentAndForNobodyElse) {
  const Endpoint controller = At("192.0.2.7", 8443);
  for (const bool has_it : {true, false}) {
    const std::string sid = SidOfAgent(kAgentService, has_it, true);
    Identities who = Who();
    who.agent_service = sid;
    const Sublayer ours{
        .name = "Cordon",
        .weight = 0xffff,
        .filters = MakeFilterList({.level = Level::kControllerOnly, .controllers = {controller}}, who)};
    const auto passes = [&](const std::string& program, const std::string& service) {
      return Judge({ours}, Phase::kEngineRuns,
                   {.local = At("192.0.2.1", 50'000),
                    .remote = controller,
                    .program = program,
                    .service = service})
          .passes;
    };
    EXPECT_TRUE(passes(kAgent, sid));
    EXPECT_FALSE(passes(kOther, sid));
    EXPECT_FALSE(passes(kAgent, "S-1-5-21-1-2-3-1001"));
  }
}

TEST_F(WfpFilterTest, ForeignBlocksOfTheChannelAreNamed) {
  const Endpoint controller = At("192.0.2.7", 8443);
  std::vector<HeldFilter> held = {Foreign(Action::kBlock, 5, {{Field::kProgram, kAgent}})};
  EXPECT_THAT(FindObstructingFilters(held, {controller}, kAgent, kAgentService),
              ::testing::ElementsAre(HasSubstr("\"silencer\" of Somebody")));
  held.front().filter.conditions = {{Field::kProgram, kOther}};
  EXPECT_THAT(FindObstructingFilters(held, {controller}, kAgent, kAgentService), IsEmpty());
}

TEST_F(WfpFilterTest, TheHardPermitHoldsAgainstBlocksBelowButNotBeside) {
  const Endpoint controller = At("192.0.2.7", 8443);
  FilterPolicy policy{.level = Level::kControllerOnly, .controllers = {controller}};
  std::vector<HeldFilter> held;
  for (const Filter& each : MakeFilterList(policy, Who()))
    held.push_back({.key = KeyOf(each), .filter = each, .of_cordon = true, .sublayer_weight = 0xffff});
  held.push_back(Foreign(Action::kBlock, 5, {{Field::kProgram, kAgent}}));
  EXPECT_THAT(FindObstructingFilters(held, {controller}, kAgent, kAgentService), IsEmpty());
  held.back().sublayer_weight = 0xffff;
  EXPECT_EQ(FindObstructingFilters(held, {controller}, kAgent, kAgentService).size(), 1U);
}

}  // namespace
}  // namespace cordon::platform::wfp
