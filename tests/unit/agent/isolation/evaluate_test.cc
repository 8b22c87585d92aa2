#include "agent/isolation/evaluate.h"

#include <gtest/gtest.h>

#include <initializer_list>

#include "platform/api/program_marks.h"
#include "tests/support/policies.h"

namespace cordon::agent {
namespace {

using ::cordon::testing::At;
using ::cordon::testing::ClinicPolicy;
using platform::Connection;
using platform::FlowDirection;
using platform::FlowProtocol;
using platform::Level;

Connection Out(const std::string& address, uint16_t port, FlowProtocol protocol = FlowProtocol::kTcp) {
  Connection flow;
  flow.protocol = protocol;
  flow.direction = FlowDirection::kOut;
  flow.local = At(address.find(':') == std::string::npos ? "10.2.3.4" : "2001:db8:9::1", 50'000);
  flow.remote = At(address, port);
  return flow;
}

Connection In(const std::string& address, uint16_t port, FlowProtocol protocol = FlowProtocol::kTcp) {
  Connection flow = Out(address, 50'001, protocol);
  flow.direction = FlowDirection::kIn;
  flow.local.port = port;
  return flow;
}

Connection OfAgent(Connection flow) {
  flow.agent_owned = true;
  return flow;
}

bool At(Level level, const Connection& flow) {
  return Allows(ClinicPolicy(level), flow);
}

TEST(Evaluate, LoopbackAndTheHostsOwnAddressStayOpenAtEveryLevel) {
  Connection to_itself = Out("10.2.3.4", 445);
  for (const Level level : testing::kAllLevels) {
    EXPECT_TRUE(At(level, Out("127.0.0.1", 445)));
    EXPECT_TRUE(At(level, Out("::1", 22)));
    EXPECT_TRUE(At(level, to_itself));
  }
}

TEST(Evaluate, TheControllerIsOpenForTheAgentOnly) {
  const Connection to_controller = Out("192.0.2.7", 7443);
  for (const Level level : {Level::kEssential, Level::kControllerOnly}) {
    EXPECT_TRUE(At(level, OfAgent(to_controller)));
    EXPECT_FALSE(At(level, to_controller));
    EXPECT_FALSE(At(level, OfAgent(Out("192.0.2.7", 22))));
    EXPECT_FALSE(At(level, OfAgent(In("192.0.2.7", 7443))));
  }
  EXPECT_FALSE(At(Level::kDark, OfAgent(to_controller)));
}

TEST(Evaluate, EssentialOpensTheProfileInItsDirectionOnly) {
  EXPECT_TRUE(At(Level::kEssential, Out("10.2.9.9", 443)));
  EXPECT_TRUE(At(Level::kEssential, Out("2001:db8:2::1", 8085)));
  EXPECT_FALSE(At(Level::kEssential, Out("10.2.9.9", 444)));
  EXPECT_FALSE(At(Level::kEssential, Out("10.9.9.9", 443)));
  EXPECT_FALSE(At(Level::kEssential, In("10.2.9.9", 443)));
  EXPECT_FALSE(At(Level::kEssential, Out("10.2.9.9", 443, FlowProtocol::kUdp)));
  EXPECT_TRUE(At(Level::kEssential, In("10.4.0.9", 3389)));
  EXPECT_TRUE(At(Level::kEssential, In("10.3.0.5", 5060, FlowProtocol::kUdp)));
  EXPECT_FALSE(At(Level::kControllerOnly, Out("10.2.9.9", 443)));
}

TEST(Evaluate, NoLateralBlocksTheProtocolsOfIntrudersInPrivateNetworksBothWays) {
  for (const uint16_t port :
       std::initializer_list<uint16_t>{22, 135, 139, 445, 3389, 5900, 5938, 5985, 47001}) {
    EXPECT_FALSE(At(Level::kNoLateral, Out("192.168.1.7", port))) << port;
    EXPECT_FALSE(At(Level::kNoLateral, In("192.168.1.7", port))) << port;
    EXPECT_FALSE(At(Level::kNoLateral, Out("fd00::7", port))) << port;
    EXPECT_TRUE(At(Level::kNoLateral, Out("198.51.100.7", port))) << port;
  }
  EXPECT_TRUE(At(Level::kNoLateral, Out("192.168.1.7", 443)));
  EXPECT_TRUE(At(Level::kNoLateral, In("10.4.0.9", 3389))) << "an exception of the profile";
}

TEST(Evaluate, AnAddressIsKeptAtEveryLevelButDark) {
  Connection discover = Out("255.255.255.255", 67, FlowProtocol::kUdp);
  discover.local = testing::At("0.0.0.0", 68);
  Connection offer = In("10.2.0.1", 68, FlowProtocol::kUdp);
  offer.remote.port = 67;
  Connection solicit = Out("ff02::1:2", 547, FlowProtocol::kUdp);
  solicit.local.port = 546;
  for (const Connection& flow : {discover, offer, solicit}) {
    EXPECT_TRUE(At(Level::kControllerOnly, flow));
    EXPECT_FALSE(At(Level::kDark, flow));
  }
  Connection tunnel = discover;
  tunnel.remote = testing::At("198.51.100.7", 67);
  EXPECT_FALSE(At(Level::kControllerOnly, tunnel)) << "port 67 to any address";
  tunnel = discover;
  tunnel.local.port = 40'000;
  EXPECT_FALSE(At(Level::kControllerOnly, tunnel)) << "not from the client's port";
}

TEST(Evaluate, SaysWhichRuleLetsAFlowPass) {
  const FlowVerdict console = Judge(ClinicPolicy(Level::kEssential), In("10.4.0.9", 3389));
  EXPECT_TRUE(console.allowed);
  EXPECT_EQ(console.reason, VerdictReason::kRule);
  EXPECT_EQ(console.rule, 2U);
  EXPECT_EQ(Judge(ClinicPolicy(Level::kEssential), In("10.5.0.9", 3389)).reason, VerdictReason::kLevel);
  EXPECT_EQ(Judge(ClinicPolicy(Level::kNoLateral), In("10.5.0.9", 3389)).reason, VerdictReason::kLateral);
  EXPECT_EQ(Judge(ClinicPolicy(Level::kNoLateral), Out("10.5.0.9", 80)).reason, VerdictReason::kNotLateral);
}

Connection Tagged(Connection flow, uint32_t tag) {
  flow.program_tag = tag;
  return flow;
}

// ISO-2: a rule for a program saves that program's connections and no other's.
TEST(Evaluate, ISO2_ARuleForAProgramIsForItsFlowsAlone) {
  const platform::FilterPolicy policy = ClinicPolicy(Level::kEssential);
  const uint32_t tag = platform::ProgramTag(policy.programs[0]);
  const uint32_t other = platform::ProgramTag(policy.programs[1]);
  for (const Connection& flow : {Out("10.9.0.7", 7777), In("fd09::7", 7777)}) {
    EXPECT_TRUE(At(Level::kEssential, Tagged(flow, tag)));
    EXPECT_FALSE(At(Level::kEssential, Tagged(flow, other)));
    EXPECT_FALSE(At(Level::kEssential, flow));
    EXPECT_FALSE(At(Level::kControllerOnly, Tagged(flow, tag)));
  }
  EXPECT_FALSE(At(Level::kEssential, Tagged(Out("10.9.0.7", 7776), tag)));
  EXPECT_TRUE(At(Level::kEssential, Tagged(Out("10.2.0.7", 443), tag)))
      << "it has what every program has, too";
}

TEST(Evaluate, AHigherLevelNeverAllowsMore) {
  for (const char* address :
       {"127.0.0.1", "10.2.9.9", "192.168.1.7", "192.0.2.7", "10.4.0.9", "2001:db8:2::1"}) {
    for (const uint16_t port : std::initializer_list<uint16_t>{22, 443, 445, 3389, 7443}) {
      for (const Connection& flow : {Out(address, port), In(address, port), OfAgent(Out(address, port))}) {
        bool allowed_below = true;
        for (const Level level : testing::kAllLevels) {
          const bool allowed = At(level, flow);
          EXPECT_TRUE(allowed_below || !allowed) << address << " " << port;
          allowed_below = allowed;
        }
      }
    }
  }
}

TEST(Evaluate, RulesByNameAllowTheAddressesThatAreOpenNow) {
  platform::FilterPolicy policy{
      .level = Level::kEssential,
      .allow = {testing::Allow(FlowDirection::kOut, FlowProtocol::kTcp, {}, {{443, 443}})},
      .controllers = {},
      .name_sets = {{.addresses = {boost::asio::ip::make_address("198.51.100.1")}}}};
  policy.allow[0].name_set = 0;
  platform::Connection flow{.local = testing::At("10.0.0.1", 5000),
                            .remote = testing::At("198.51.100.1", 443)};
  EXPECT_TRUE(Allows(policy, flow));
  flow.remote = testing::At("198.51.100.2", 443);
  EXPECT_FALSE(Allows(policy, flow));
  policy.name_sets.clear();
  flow.remote = testing::At("198.51.100.1", 443);
  EXPECT_FALSE(Allows(policy, flow)) << "a set that is not there";
}

TEST(Evaluate, WithAGuardOnlyTheAgentReachesResolvers) {
  platform::FilterPolicy policy{
      .level = Level::kEssential,
      .allow = {testing::Allow(FlowDirection::kOut, FlowProtocol::kUdp, {"10.0.0.0/8"})},
      .controllers = {}};
  platform::Connection flow{.protocol = FlowProtocol::kUdp,
                            .local = testing::At("10.0.0.1", 5000),
                            .remote = testing::At("10.0.0.53", 53)};
  EXPECT_TRUE(Allows(policy, flow)) << "without a guard the profile says so";
  policy.dns = {.guard_port = 1011, .resolvers = {testing::At("192.0.2.53", 53)}};
  EXPECT_FALSE(Allows(policy, flow));
  flow.remote = testing::At("192.0.2.53", 53);
  EXPECT_FALSE(Allows(policy, flow));
  flow.agent_owned = true;
  EXPECT_TRUE(Allows(policy, flow));
}

TEST(Evaluate, WithoutAGuardTheAgentReachesResolversAsWell) {
  platform::FilterPolicy policy{.level = Level::kControllerOnly, .allow = {}, .controllers = {}};
  policy.resolvers = {testing::At("192.0.2.53", 53)};
  platform::Connection flow{.protocol = FlowProtocol::kUdp,
                            .local = testing::At("10.0.0.1", 5000),
                            .remote = testing::At("192.0.2.53", 53)};
  EXPECT_FALSE(Allows(policy, flow));
  flow.agent_owned = true;
  EXPECT_TRUE(Allows(policy, flow));
  flow.remote.port = 443;
  EXPECT_FALSE(Allows(policy, flow));
}

}  // namespace
}  // namespace cordon::agent
