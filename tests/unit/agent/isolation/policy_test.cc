#include "agent/isolation/policy.h"

#include <gtest/gtest.h>

#include "tests/support/actions.h"

namespace cordon::agent {
namespace {

using ::cordon::testing::Isolate;
using ::cordon::testing::WithLease;
using ::cordon::testing::WithRule;
using platform::Level;

std::string Refusal(const v1::IsolateAction& action) {
  return std::string(PolicyOf(action).status().ToString());
}

TEST(PolicyOf, TakesEveryFieldOfARule) {
  const auto policy = PolicyOf(WithRule(Isolate(v1::LEVEL_ESSENTIAL), v1::DIRECTION_IN,
                                        v1::TRANSPORT_PROTOCOL_UDP, {"10.2.0.0/16", "2001:db8::1"}, 514));
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->level, Level::kEssential);
  ASSERT_EQ(policy->allow.size(), 1U);
  EXPECT_EQ(policy->allow[0].direction, platform::FlowDirection::kIn);
  EXPECT_EQ(policy->allow[0].protocol, platform::FlowProtocol::kUdp);
  EXPECT_EQ(FormatNetwork(policy->allow[0].networks.at(0)), "10.2.0.0/16");
  EXPECT_EQ(policy->allow[0].ports, (std::vector<platform::PortRange>{{514, 514}}));
}

TEST(PolicyOf, RefusesLevelsThatIsolateNothing) {
  for (const int level : {0, 1, 6, -1}) {
    EXPECT_EQ(PolicyOf(Isolate(static_cast<v1::Level>(level))).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(PolicyOf, RefusesAnOrderThatDoesNotSayWhichWayToFall) {
  EXPECT_NE(Refusal(Isolate(v1::LEVEL_DARK, v1::FALLBACK_UNSPECIFIED)).find("fallback"), std::string::npos);
}

v1::IsolateAction ForProgram(v1::IsolateAction action, const std::string& path,
                             const std::string& sha256 = {}) {
  v1::AllowRule& rule = *action.mutable_profile()->mutable_allow()->rbegin();
  rule.mutable_program()->set_path(path);
  rule.mutable_program()->set_sha256(sha256);
  return action;
}

TEST(PolicyOf, BindsRulesToProgramsEachOfWhichIsNamedOnce) {
  const auto rule = [](const v1::IsolateAction& action, const std::string& path,
                       const std::string& sha256 = {}) {
    return ForProgram(WithRule(action, v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_TCP, {"10.0.0.1"}, 443),
                      path, sha256);
  };
  const std::string hash(32, 'h');
  auto action =
      WithRule(Isolate(v1::LEVEL_ESSENTIAL), v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_TCP, {"10.0.0.2"});
  action = rule(rule(rule(action, "/usr/bin/pms", hash), "/usr/bin/phone"), "/usr/bin/pms", hash);
  const auto policy = PolicyOf(action);
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->programs,
            (std::vector<platform::ProgramIdentity>{{.path = "/usr/bin/pms", .sha256 = hash},
                                                    {.path = "/usr/bin/phone", .sha256 = {}}}));
  EXPECT_EQ(policy->allow.at(0).program, std::nullopt);
  EXPECT_EQ(policy->allow.at(1).program, 0U);
  EXPECT_EQ(policy->allow.at(2).program, 1U);
  EXPECT_EQ(policy->allow.at(3).program, 0U);
  EXPECT_TRUE(AtLevel(*policy, Level::kDark).programs.empty());
  const std::string refusal = Refusal(rule(action, "/usr/bin/pms"));
  EXPECT_NE(refusal.find("rule 5"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("SHA-256"), std::string::npos) << refusal;
}

TEST(PolicyOf, LetsNoProgramAnswerAnEcho) {
  const auto echo = [](v1::Direction direction) {
    return PolicyOf(ForProgram(WithRule(Isolate(v1::LEVEL_ESSENTIAL), direction, v1::TRANSPORT_PROTOCOL_ICMP,
                                        {"10.0.0.1"}),
                               "/usr/bin/ping"))
        .status()
        .code();
  };
  EXPECT_EQ(echo(v1::DIRECTION_OUT), absl::StatusCode::kOk);
  EXPECT_EQ(echo(v1::DIRECTION_IN), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(echo(v1::DIRECTION_BOTH), absl::StatusCode::kInvalidArgument);
}

TEST(PolicyOf, GivesRulesByNameTheirSets) {
  auto action = WithRule(Isolate(v1::LEVEL_ESSENTIAL), v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_TCP,
                         {"10.0.0.1"}, 443);
  for (const char* name : {"pms.example.vet", "*.cloud.example.vet", "pms.example.vet"}) {
    v1::AllowRule* const rule = action.mutable_profile()->add_allow();
    rule->set_direction(v1::DIRECTION_OUT);
    rule->set_protocol(v1::TRANSPORT_PROTOCOL_TCP);
    rule->add_names(name);
  }
  const auto policy = PolicyOf(action);
  ASSERT_TRUE(policy.ok()) << policy.status();
  ASSERT_EQ(policy->name_sets.size(), 2U);
  EXPECT_EQ(policy->allow[0].name_set, std::nullopt);
  EXPECT_EQ(policy->allow[1].name_set, 0U);
  EXPECT_EQ(policy->allow[2].name_set, 1U);
  EXPECT_EQ(policy->allow[3].name_set, 0U);
  EXPECT_EQ(AtLevel(*policy, platform::Level::kNoLateral).name_sets.size(), 2U);
  EXPECT_TRUE(AtLevel(*policy, platform::Level::kControllerOnly).name_sets.empty());
}

TEST(PolicyOf, TheGuardIsForEssentialOnly) {
  platform::FilterPolicy policy;
  policy.dns.emplace();
  EXPECT_TRUE(AtLevel(policy, platform::Level::kEssential).dns.has_value());
  for (const auto level : {platform::Level::kObserve, platform::Level::kNoLateral,
                           platform::Level::kControllerOnly, platform::Level::kDark})
    EXPECT_FALSE(AtLevel(policy, level).dns.has_value());
}

TEST(PolicyOf, TheAgentAsksForTheControllersNamesWherePort53IsShutAndNoGuardDoes) {
  platform::FilterPolicy policy;
  policy.resolvers.emplace_back();
  for (const auto level : {platform::Level::kEssential, platform::Level::kControllerOnly})
    EXPECT_EQ(AtLevel(policy, level).resolvers.size(), 1U);
  for (const auto level : {platform::Level::kObserve, platform::Level::kNoLateral, platform::Level::kDark})
    EXPECT_TRUE(AtLevel(policy, level).resolvers.empty());
  policy.dns.emplace();
  EXPECT_TRUE(AtLevel(policy, platform::Level::kEssential).resolvers.empty());
}

TEST(PolicyOf, BoundsTheListsOfNames) {
  auto action = Isolate(v1::LEVEL_ESSENTIAL);
  action.mutable_profile()->set_name("clinic");
  for (int i = 0; i < 1'001; ++i) {
    v1::AllowRule* const rule = action.mutable_profile()->add_allow();
    rule->set_direction(v1::DIRECTION_OUT);
    rule->set_protocol(v1::TRANSPORT_PROTOCOL_TCP);
    rule->add_names("n" + std::to_string(i) + ".example");
  }
  EXPECT_EQ(PolicyOf(action).status().code(), absl::StatusCode::kInvalidArgument);
  action.mutable_profile()->mutable_allow()->RemoveLast();
  EXPECT_TRUE(PolicyOf(action).ok()) << "the positive control";
}

TEST(PolicyOf, RefusesARuleOutOfBounds) {
  const auto good = WithRule(Isolate(v1::LEVEL_ESSENTIAL), v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_TCP,
                             {"10.0.0.1"}, 443);
  ASSERT_TRUE(PolicyOf(good).ok()) << "the positive control";
  const auto refuses = [&](auto change) {
    v1::IsolateAction action = good;
    change(*action.mutable_profile()->mutable_allow(0));
    return PolicyOf(action).status().code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refuses([](v1::AllowRule& rule) { rule.clear_direction(); }));
  EXPECT_TRUE(refuses([](v1::AllowRule& rule) { rule.clear_protocol(); }));
  EXPECT_TRUE(refuses([](v1::AllowRule& rule) { rule.clear_networks(); }));
  EXPECT_TRUE(refuses([](v1::AllowRule& rule) { rule.set_networks(0, "10.0.0.1/8"); }));
  EXPECT_TRUE(refuses([](v1::AllowRule& rule) { rule.set_networks(0, "10.0.0.1 accept"); }));
  EXPECT_TRUE(refuses([](v1::AllowRule& rule) { rule.mutable_ports(0)->set_first(0); }));
  EXPECT_TRUE(refuses([](v1::AllowRule& rule) { rule.mutable_ports(0)->set_last(65536); }));
  EXPECT_TRUE(refuses([](v1::AllowRule& rule) { rule.mutable_ports(0)->set_last(442); }));
  EXPECT_TRUE(refuses([](v1::AllowRule& rule) { rule.set_protocol(v1::TRANSPORT_PROTOCOL_ICMP); }));
}

TEST(PolicyOf, BoundsTheLease) {
  EXPECT_TRUE(PolicyOf(WithLease(Isolate(v1::LEVEL_DARK), 60)).ok());
  EXPECT_FALSE(PolicyOf(WithLease(Isolate(v1::LEVEL_DARK), 59)).ok());
  EXPECT_FALSE(PolicyOf(WithLease(Isolate(v1::LEVEL_DARK), 91LL * 24 * 3600)).ok());
  EXPECT_FALSE(PolicyOf(WithLease(Isolate(v1::LEVEL_ESSENTIAL), 60, v1::LEVEL_ESSENTIAL)).ok());
  EXPECT_TRUE(PolicyOf(WithLease(Isolate(v1::LEVEL_ESSENTIAL), 60, v1::LEVEL_NO_LATERAL)).ok());
}

TEST(AtLevel, LeavesOutWhatTheLevelDoesNotTake) {
  const platform::FilterPolicy full{.level = Level::kEssential,
                                    .allow = {{}},
                                    .controllers = {{boost::asio::ip::make_address("192.0.2.1"), 443}}};
  EXPECT_TRUE(AtLevel(full, Level::kControllerOnly).allow.empty());
  EXPECT_FALSE(AtLevel(full, Level::kControllerOnly).controllers.empty());
  EXPECT_TRUE(AtLevel(full, Level::kDark).controllers.empty());
  EXPECT_FALSE(AtLevel(full, Level::kNoLateral).allow.empty());
}

}  // namespace
}  // namespace cordon::agent
