#include "agent/rehearsal/forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "agent/isolation/evaluate.h"
#include "agent/isolation/policy.h"
#include "common/base/strings.h"
#include "tests/support/policies.h"

namespace cordon::agent {
namespace {

using platform::FlowDirection;
using platform::FlowProtocol;
using platform::Level;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The wire's form of testing::ClinicPolicy.
v1::IsolateAction ClinicAction(v1::Level level) {
  v1::IsolateAction action;
  action.set_level(level);
  action.set_fallback(v1::FALLBACK_HOLD);
  if (level > v1::LEVEL_ESSENTIAL) return action;
  for (const char* comment : {"practice system", "phones", "console", ""}) {
    action.mutable_profile()->add_allow()->set_comment(comment);
  }
  return action;
}

KnownFlow Known(FlowDirection direction, FlowProtocol protocol, const std::string& remote, uint16_t port,
                const std::string& executable) {
  KnownFlow known;
  known.flow.direction = direction;
  known.flow.protocol = protocol;
  known.flow.local = testing::At(remote.find(':') == std::string::npos ? "10.9.9.9" : "fd00:9::9", 0);
  known.flow.remote = testing::At(remote, 0);
  (direction == FlowDirection::kIn ? known.flow.local : known.flow.remote).port = port;
  known.executable = executable;
  known.times_seen = 1;
  known.last_seen_unix_nanos = 1'000;
  return known;
}

std::vector<KnownFlow> AWorkingDay() {
  using enum FlowDirection;
  using enum FlowProtocol;
  std::vector<KnownFlow> flows = {Known(kOut, kTcp, "10.2.0.9", 443, "/opt/pms/client"),
                                  Known(kOut, kTcp, "203.0.113.10", 443, "/opt/card/terminal"),
                                  Known(kOut, kUdp, "10.3.0.5", 5060, "/usr/bin/phone"),
                                  Known(kIn, kTcp, "10.4.0.7", 3389, "/usr/sbin/xrdp"),
                                  Known(kIn, kTcp, "10.5.0.7", 3389, "/usr/sbin/xrdp"),
                                  Known(kOut, kTcp, "10.2.0.200", 445, "/usr/bin/smbclient"),
                                  Known(kOut, kTcp, "198.51.100.7", 443, "/usr/bin/firefox"),
                                  Known(kOut, kTcp, "2001:db8:2::5", 8085, "/opt/pms/client"),
                                  Known(kOut, kTcp, "192.0.2.7", 7443, "/usr/bin/cordon-agent"),
                                  Known(kOut, kTcp, "192.0.2.7", 7443, "/usr/bin/curl"),
                                  Known(kOut, kUdp, "255.255.255.255", 67, "/sbin/dhclient")};
  flows[8].flow.agent_owned = true;
  flows[10].flow.local.port = 68;
  return flows;
}

std::string Lines(const v1::Rehearsal& rehearsal) {
  std::string text;
  for (const v1::FlowForecast& flow : rehearsal.flows()) {
    StrAppend(&text, flow.stays() ? "stays " : "cut   ", flow.executable(), " ",
              flow.direction() == v1::DIRECTION_IN ? "in " : "out ", flow.remote_address(), " ",
              flow.protocol() == v1::TRANSPORT_PROTOCOL_UDP ? "udp/" : "tcp/", flow.port(), ": ",
              flow.because(), "\n");
  }
  return text;
}

std::string ForecastAt(v1::Level level) {
  return Lines(
      Forecast(ClinicAction(level), testing::ClinicPolicy(static_cast<Level>(level)), AWorkingDay()));
}

TEST(Forecast, Essential) {
  EXPECT_EQ(ForecastAt(v1::LEVEL_ESSENTIAL),
            R"(stays /opt/pms/client out 10.2.0.9 tcp/443: profile rule 1 (practice system)
stays /opt/card/terminal out 203.0.113.10 tcp/443: profile rule 1 (practice system)
stays /usr/bin/phone out 10.3.0.5 udp/5060: profile rule 2 (phones)
stays /usr/sbin/xrdp in 10.4.0.7 tcp/3389: profile rule 3 (console)
cut   /usr/sbin/xrdp in 10.5.0.7 tcp/3389: essential: no rule of the profile allows it
cut   /usr/bin/smbclient out 10.2.0.200 tcp/445: essential: no rule of the profile allows it
cut   /usr/bin/firefox out 198.51.100.7 tcp/443: essential: no rule of the profile allows it
stays /opt/pms/client out 2001:db8:2::5 tcp/8085: profile rule 1 (practice system)
stays /usr/bin/cordon-agent out 192.0.2.7 tcp/7443: the agent's own channel to the controller
cut   /usr/bin/curl out 192.0.2.7 tcp/7443: essential: no rule of the profile allows it
stays /sbin/dhclient out 255.255.255.255 udp/67: DHCP
)");
}

TEST(Forecast, NoLateral) {
  EXPECT_EQ(ForecastAt(v1::LEVEL_NO_LATERAL),
            R"(stays /opt/pms/client out 10.2.0.9 tcp/443: profile rule 1 (practice system)
stays /opt/card/terminal out 203.0.113.10 tcp/443: profile rule 1 (practice system)
stays /usr/bin/phone out 10.3.0.5 udp/5060: profile rule 2 (phones)
stays /usr/sbin/xrdp in 10.4.0.7 tcp/3389: profile rule 3 (console)
cut   /usr/sbin/xrdp in 10.5.0.7 tcp/3389: no-lateral: port 3389 in a private network is lateral movement
cut   /usr/bin/smbclient out 10.2.0.200 tcp/445: no-lateral: port 445 in a private network is lateral movement
stays /usr/bin/firefox out 198.51.100.7 tcp/443: no-lateral blocks nothing but lateral movement
stays /opt/pms/client out 2001:db8:2::5 tcp/8085: profile rule 1 (practice system)
stays /usr/bin/cordon-agent out 192.0.2.7 tcp/7443: the agent's own channel to the controller
stays /usr/bin/curl out 192.0.2.7 tcp/7443: no-lateral blocks nothing but lateral movement
stays /sbin/dhclient out 255.255.255.255 udp/67: DHCP
)");
}

TEST(Forecast, TheHigherLevelsKeepTheControllerOrNothing) {
  const std::string controller_only = ForecastAt(v1::LEVEL_CONTROLLER_ONLY);
  EXPECT_THAT(controller_only,
              HasSubstr("cut   /opt/pms/client out 10.2.0.9 tcp/443: controller-only: nothing but "
                        "the controller stays\n"));
  EXPECT_THAT(controller_only, HasSubstr("stays /usr/bin/cordon-agent"));
  const std::string dark = ForecastAt(v1::LEVEL_DARK);
  EXPECT_THAT(dark, HasSubstr("cut   /usr/bin/cordon-agent"));
  EXPECT_EQ(dark.find("stays /"), std::string::npos) << dark;
}

TEST(Forecast, AgreesWithTheJudgeThatCuts) {
  for (const Level level : {Level::kNoLateral, Level::kEssential, Level::kControllerOnly, Level::kDark}) {
    const auto policy = testing::ClinicPolicy(level);
    const std::vector<KnownFlow> flows = AWorkingDay();
    const v1::Rehearsal rehearsal = Forecast(ClinicAction(static_cast<v1::Level>(level)), policy, flows);
    ASSERT_EQ(rehearsal.flows_size(), static_cast<int>(flows.size()));
    for (int at = 0; at < rehearsal.flows_size(); ++at) {
      EXPECT_EQ(rehearsal.flows(at).stays(), Allows(policy, flows[static_cast<size_t>(at)].flow)) << at;
    }
  }
}

TEST(Forecast, ARuleByNameKeepsWhatWasReachedByThatName) {
  v1::IsolateAction action = ClinicAction(v1::LEVEL_ESSENTIAL);
  action.mutable_profile()->clear_allow();
  v1::AllowRule& rule = *action.mutable_profile()->add_allow();
  rule.set_comment("cloud");
  rule.add_names("*.cloud.example.vet");
  platform::FilterPolicy policy{.level = Level::kEssential};
  policy.allow.push_back(testing::Allow(FlowDirection::kOut, FlowProtocol::kTcp, {}, {{443, 443}}));
  policy.allow[0].name_set = 0;
  policy.name_sets.resize(1);
  std::vector<KnownFlow> flows = {
      Known(FlowDirection::kOut, FlowProtocol::kTcp, "198.51.100.7", 443, "/opt/pms/client"),
      Known(FlowDirection::kOut, FlowProtocol::kTcp, "198.51.100.8", 443, "/usr/bin/firefox"),
      Known(FlowDirection::kOut, FlowProtocol::kTcp, "198.51.100.7", 22, "/usr/bin/ssh")};
  flows[0].names = {"cdn.example.net", "pms.cloud.example.vet"};
  flows[1].names = {"cloud.example.vet.evil.test"};
  const v1::Rehearsal rehearsal = Forecast(action, policy, flows);
  EXPECT_TRUE(rehearsal.flows(0).stays());
  EXPECT_EQ(rehearsal.flows(0).remote_name(), "pms.cloud.example.vet");
  EXPECT_EQ(rehearsal.flows(0).because(), "profile rule 1 (cloud), by the name pms.cloud.example.vet");
  EXPECT_FALSE(rehearsal.flows(1).stays());
  EXPECT_EQ(rehearsal.flows(1).remote_name(), "cloud.example.vet.evil.test");
  EXPECT_FALSE(rehearsal.flows(2).stays()) << "the rule's port";
  flows[0].live = true;
  EXPECT_EQ(Forecast(action, policy, flows).flows(0).because(),
            "profile rule 1 (cloud), by the name pms.cloud.example.vet; what is open now may be cut once");
}

TEST(Forecast, ARuleForAProgramKeepsThatProgramOnly) {
  v1::IsolateAction action = ClinicAction(v1::LEVEL_ESSENTIAL);
  action.mutable_profile()->clear_allow();
  action.mutable_profile()->add_allow()->set_comment("card terminal");
  platform::FilterPolicy policy{.level = Level::kEssential};
  policy.allow.push_back(
      testing::Allow(FlowDirection::kOut, FlowProtocol::kTcp, {"203.0.113.10"}, {{443, 443}}));
  policy.allow[0].program = 0;
  policy.programs.push_back({.path = "/opt/card/terminal", .sha256 = ""});
  const std::vector<KnownFlow> flows = {
      Known(FlowDirection::kOut, FlowProtocol::kTcp, "203.0.113.10", 443, "/opt/card/terminal"),
      Known(FlowDirection::kOut, FlowProtocol::kTcp, "203.0.113.10", 443, "/usr/bin/curl"),
      Known(FlowDirection::kOut, FlowProtocol::kTcp, "203.0.113.10", 443, "")};
  const v1::Rehearsal rehearsal = Forecast(action, policy, flows);
  EXPECT_TRUE(rehearsal.flows(0).stays());
  EXPECT_EQ(rehearsal.flows(0).because(), "profile rule 1 (card terminal)");
  EXPECT_FALSE(rehearsal.flows(1).stays());
  EXPECT_FALSE(rehearsal.flows(2).stays());
}

TEST(Forecast, LookupsGoToTheGuard) {
  platform::FilterPolicy policy{.level = Level::kEssential};
  policy.allow.push_back(testing::Allow(FlowDirection::kOut, FlowProtocol::kUdp, {"10.0.0.0/8"}));
  const std::vector<KnownFlow> flows = {
      Known(FlowDirection::kOut, FlowProtocol::kUdp, "10.2.0.1", 53, "/usr/bin/dig")};
  EXPECT_TRUE(Forecast({}, policy, flows).flows(0).stays()) << "the positive control";
  policy.dns.emplace();
  const v1::Rehearsal rehearsal = Forecast({}, policy, flows);
  EXPECT_FALSE(rehearsal.flows(0).stays());
  EXPECT_THAT(rehearsal.flows(0).because(), HasSubstr("the agent itself answers DNS"));
}

// Whether a flow to an address that was reached by `name` is told to stay by a rule for `pattern`.
bool Stays(v1::Level level, const std::string& pattern, const std::string& name) {
  v1::IsolateAction action;
  action.set_level(level);
  v1::AllowRule& rule = *action.mutable_profile()->add_allow();
  rule.add_names(pattern);
  platform::FilterPolicy policy{.level = static_cast<Level>(level), .allow = {}, .controllers = {}};
  policy.allow.push_back(testing::Allow(FlowDirection::kOut, FlowProtocol::kTcp, {}, {{445, 445}}));
  policy.allow[0].name_set = 0;
  policy.name_sets.resize(1);
  std::vector<KnownFlow> flows = {
      Known(FlowDirection::kOut, FlowProtocol::kTcp, "10.2.0.9", 445, "/opt/pms/client")};
  flows[0].names = {name};
  return Forecast(action, policy, flows).flows(0).stays();
}

TEST(Forecast, KnowsWhichNamesAProfileMeans) {
  EXPECT_TRUE(Stays(v1::LEVEL_ESSENTIAL, "pms.example.vet", "pms.example.vet"));
  EXPECT_FALSE(Stays(v1::LEVEL_ESSENTIAL, "pms.example.vet", "a.pms.example.vet"));
  EXPECT_TRUE(Stays(v1::LEVEL_ESSENTIAL, "*.example.vet", "pms.example.vet"));
  EXPECT_FALSE(Stays(v1::LEVEL_ESSENTIAL, "*.example.vet", "example.vet"));
  EXPECT_FALSE(Stays(v1::LEVEL_ESSENTIAL, "*.example.vet", "badexample.vet"));
}

TEST(Forecast, ANameThatTheGuardRefusesStaysByNoRule) {
  EXPECT_TRUE(Stays(v1::LEVEL_ESSENTIAL, "*.example.vet", "a.b.example.vet"));
  EXPECT_FALSE(Stays(v1::LEVEL_ESSENTIAL, "*.example.vet", "a.b.c.example.vet")) << "three labels";
  EXPECT_TRUE(Stays(v1::LEVEL_ESSENTIAL, "*.example.vet", StrCat(std::string(40, 'a'), ".example.vet")));
  EXPECT_FALSE(Stays(v1::LEVEL_ESSENTIAL, "*.example.vet", StrCat(std::string(41, 'a'), ".example.vet")));
  // At no-lateral exact names are looked up by the agent, wildcards are not opened.
  EXPECT_TRUE(Stays(v1::LEVEL_NO_LATERAL, "pms.example.vet", "pms.example.vet"));
  EXPECT_FALSE(Stays(v1::LEVEL_NO_LATERAL, "*.example.vet", "pms.example.vet"));
}

TEST(Forecast, MergesKindsAndLeavesOutWhatStaysOnTheHost) {
  KnownFlow past = Known(FlowDirection::kOut, FlowProtocol::kTcp, "10.2.0.9", 443, "/opt/pms/client");
  past.times_seen = 7;
  past.first_seen_unix_nanos = 100;
  past.names = {"pms.example.vet"};
  KnownFlow now = past;
  now.live = true;
  now.times_seen = 1;
  now.first_seen_unix_nanos = now.last_seen_unix_nanos = 5'000;
  now.names.clear();
  KnownFlow newer_past = Known(FlowDirection::kOut, FlowProtocol::kUdp, "10.3.0.5", 123, "/usr/sbin/chronyd");
  newer_past.last_seen_unix_nanos = 9'000;
  const KnownFlow loopback =
      Known(FlowDirection::kOut, FlowProtocol::kTcp, "127.0.0.1", 5432, "/opt/pms/client");
  const std::vector<KnownFlow> merged = MergeKinds({newer_past, past, now, loopback});
  ASSERT_EQ(merged.size(), 2U);
  EXPECT_TRUE(merged[0].live) << "live ones first";
  EXPECT_EQ(merged[0].times_seen, 7U);
  EXPECT_EQ(merged[0].first_seen_unix_nanos, 100);
  EXPECT_EQ(merged[0].last_seen_unix_nanos, 5'000);
  EXPECT_THAT(merged[0].names, ElementsAre("pms.example.vet"));
  EXPECT_EQ(merged[1].executable, "/usr/sbin/chronyd");
}

TEST(Forecast, CountsWhatDoesNotFit) {
  std::vector<KnownFlow> flows;
  for (uint32_t at = 0; at < kMaxForecastFlows + 10; ++at) {
    flows.push_back(Known(FlowDirection::kOut, FlowProtocol::kTcp,
                          StrCat("10.", at >> 16, ".", (at >> 8) & 255, ".", at & 255), 443,
                          "/usr/bin/scan"));
  }
  const auto policy = testing::ClinicPolicy(Level::kEssential);
  v1::Rehearsal rehearsal = Forecast(ClinicAction(v1::LEVEL_ESSENTIAL), policy, flows);
  EXPECT_EQ(rehearsal.flows_size(), static_cast<int>(kMaxForecastFlows));
  EXPECT_EQ(rehearsal.left_out(), 10U);
  for (KnownFlow& flow : flows) flow.executable.assign(4'000, 'x');
  rehearsal = Forecast(ClinicAction(v1::LEVEL_ESSENTIAL), policy, flows);
  EXPECT_LE(rehearsal.ByteSizeLong(), kMaxForecastBytes);
  EXPECT_EQ(rehearsal.flows_size() + rehearsal.left_out(), flows.size());
}

}  // namespace
}  // namespace cordon::agent
