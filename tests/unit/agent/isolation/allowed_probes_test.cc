#include "agent/isolation/allowed_probes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "platform/api/program_marks.h"
#include "tests/support/policies.h"

namespace cordon::testing {
namespace {

using agent::AllowedPlan;
using agent::AllowedProbe;
using agent::PlanAllowed;
using platform::FilterPolicy;
using platform::Level;
using enum platform::FlowDirection;
using enum platform::FlowProtocol;

constexpr size_t kAll = 100;

std::set<std::string> TargetsOf(const AllowedPlan& plan) {
  std::set<std::string> targets;
  for (const AllowedProbe& probe : plan.probes)
    targets.insert(NameOf(probe.packet) + " " + FormatEndpoint(probe.packet.target));
  return targets;
}

TEST(AllowedPlan, ISO7_TriesAnAddressOfEveryNetworkThatThisHostMayOpen) {
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  const AllowedPlan plan = PlanAllowed(policy, 0, kAll);
  EXPECT_EQ(
      TargetsOf(plan),
      (std::set<std::string>{
          "tcp4 allowed 10.2.0.1:443", "tcp4 allowed 203.0.113.10:443", "tcp6 allowed [2001:db8:2::1]:443",
          "udp4 allowed 10.3.0.5:5060", "udp4 allowed 10.3.0.6:5060", "udp4 allowed 10.3.0.7:5060",
          "icmp4 allowed 10.2.0.1:0", "icmp6 allowed [2001:db8:2::1]:0", "tcp4 allowed 10.9.0.1:7777",
          "tcp6 allowed [fd09::1]:7777", "udp4 allowed 10.9.0.1:7778", "udp6 allowed [fd09::1]:7778",
          "icmp4 allowed 10.9.0.1:0"}))
      << "not those that a peer opens";
  for (const AllowedProbe& probe : plan.probes) {
    const auto& program = policy.allow[probe.rule].program;
    EXPECT_EQ(probe.packet.program_tag,
              program.has_value() ? platform::ProgramTag(policy.programs[*program]) : 0U);
  }
}

TEST(AllowedPlan, HasNothingWhereTheProfileOpensNothing) {
  for (const Level level : {Level::kObserve, Level::kControllerOnly, Level::kDark})
    EXPECT_TRUE(PlanAllowed(ClinicPolicy(level), 0, kAll).probes.empty()) << LevelName(level);
  EXPECT_FALSE(PlanAllowed(ClinicPolicy(Level::kNoLateral), 0, kAll).probes.empty()) << "exceptions";
  EXPECT_TRUE(PlanAllowed({.level = Level::kEssential}, 0, kAll).probes.empty());
}

TEST(AllowedPlan, ComesToEveryDestinationAFewAtATimeAndThenToTheNextPorts) {
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  std::set<std::string> seen;
  uint64_t turn = 0;
  const size_t destinations = PlanAllowed(policy, 0, kAll).probes.size();
  while (turn < destinations) {
    const AllowedPlan plan = PlanAllowed(policy, turn, std::min<size_t>(4, destinations - turn));
    EXPECT_LE(plan.probes.size(), 4U);
    EXPECT_GT(plan.next_turn, turn);
    turn = plan.next_turn;
    seen.merge(TargetsOf(plan));
  }
  EXPECT_EQ(seen, TargetsOf(PlanAllowed(policy, 0, kAll)));
  EXPECT_TRUE(TargetsOf(PlanAllowed(policy, destinations, kAll)).contains("tcp4 allowed 10.2.0.1:8080"));
}

TEST(AllowedPlan, TakesTheAddressesThatAreOpenForNamesNow) {
  FilterPolicy policy{.level = Level::kEssential, .allow = {Allow(kOut, kTcp, {}, {{443, 443}})}};
  policy.allow[0].name_set = 0;
  policy.name_sets.emplace_back();
  EXPECT_TRUE(PlanAllowed(policy, 0, kAll).probes.empty()) << "none is open yet";
  policy.name_sets[0].addresses = {boost::asio::ip::make_address("198.51.100.7")};
  EXPECT_EQ(TargetsOf(PlanAllowed(policy, 0, kAll)), std::set<std::string>{"tcp4 allowed 198.51.100.7:443"});
  const AllowedProbe open = PlanAllowed(policy, 0, kAll).probes[0];
  EXPECT_TRUE(IsAllowed(policy, open));
  policy.name_sets[0].addresses.clear();
  EXPECT_FALSE(IsAllowed(policy, open)) << "it has lapsed";
}

TEST(AllowedPlan, DisturbsNobodyAndLeavesPort53ToTheGuard) {
  FilterPolicy policy{.level = Level::kEssential,
                      .allow = {Allow(kOut, kUdp, {"10.9.0.53"}, {{53, 53}}),
                                Allow(kOut, kUdp, {"224.0.0.0/4", "255.255.255.255", "ff00::/8", "fe80::/10"},
                                      {{5353, 5353}}),
                                Allow(kOut, kTcp, {"0.0.0.0/0", "2000::/3"}, {{443, 443}})}};
  const std::set<std::string> nobody = {"tcp4 allowed 192.0.2.254:443", "tcp6 allowed [2001:db8::fffe]:443"};
  std::set<std::string> with_dns = nobody;
  with_dns.insert("udp4 allowed 10.9.0.53:53");
  EXPECT_EQ(TargetsOf(PlanAllowed(policy, 0, kAll)), with_dns);
  policy.dns = platform::DnsRedirect{.guard_port = 1011, .resolvers = {}};
  EXPECT_EQ(TargetsOf(PlanAllowed(policy, 0, kAll)), nobody);
}

}  // namespace
}  // namespace cordon::testing
