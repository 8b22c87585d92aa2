// A tunnel tool's work: bytes in the labels of names, to whatever server it likes.

#include <gtest/gtest.h>

#include "agent/names/guard_rules.h"
#include "tests/integration/names/names_lab.h"

namespace cordon::testing {
namespace {

constexpr const char* kPayload = "4a6f686e-recordsofpatients.tunnel.evil.example";

// Everywhere a query can be sent to: the host's resolver, somebody else's, the usual local addresses.
const char* const kServers[] = {"10.9.0.53", "198.51.100.53",   "127.0.0.53", "127.0.0.1",
                                "::1",       "2001:db8:53::53", "fd09::2"};

TEST_F(NamesTest, ISO3_ATunnelsQueriesAreRefusedAtOnceAndNoByteOfThemLeaves) {
  DnsServer stranger6(world_, "2001:db8:53::53");
  for (const bool tcp : {false, true}) {
    EXPECT_TRUE(
        Ask("control-" + std::string(tcp ? "tcp" : "udp") + ".example", kTypeText, tcp, kStranger).came);
    EXPECT_TRUE(Ask("control.example", kTypeText, tcp, "2001:db8:53::53").came);
  }
  ASSERT_TRUE(stranger_->WasAsked("control-udp.example")) << "the positive control";
  ASSERT_TRUE(stranger_->WasAsked("control-tcp.example"));
  ASSERT_TRUE(stranger6.WasAsked("control.example"));

  SetNames({kPms, "*.cloud.example.vet"});
  for (const char* server : kServers) {
    for (const bool tcp : {false, true}) {
      for (const uint16_t type : {kTypeA, kTypeText, uint16_t{10}}) {
        const DnsReply reply = Ask(kPayload, type, tcp, server);
        EXPECT_TRUE(reply.came) << server << (tcp ? " tcp" : " udp");
        EXPECT_EQ(reply.code, 5) << server << (tcp ? " tcp" : " udp");
      }
    }
  }
  // Under listed names too: only what is listed is ever asked.
  EXPECT_EQ(Ask(std::string("4a6f686e.") + kPms).code, 5);
  EXPECT_EQ(Ask("4a6f686e4a6f686e4a6f686e4a6f686e4a6f686e4a6f686e.cloud.example.vet").code, 5);
  EXPECT_EQ(Ask("4a6f686e.4a6f.686e.cloud.example.vet").code, 5);
  const std::vector<const DnsServer*> servers = {resolver_.get(), stranger_.get(), &stranger6};
  for (const DnsServer* const server : servers) {
    EXPECT_EQ(server->AllBytes().find("4a6f"), std::string::npos);
    EXPECT_EQ(server->AllBytes().find("tunnel"), std::string::npos);
  }
}

// Raw packets to port 53, past the sockets and the redirect.
TEST_F(NamesTest, ISO3_RawPacketsToPort53DoNotLeave) {
  const Destination there{world_, "10.9.0.4", 53};
  ASSERT_TRUE(FrameArrives(host_, {.interface = "up0", .source = "10.9.0.1"}, there, kExpectArrival))
      << "the positive control";
  v1::IsolateAction action = Names({kPms});
  v1::AllowRule* const rule = action.mutable_profile()->add_allow();  // a generous rule changes nothing
  rule->set_direction(v1::DIRECTION_OUT);
  rule->set_protocol(v1::TRANSPORT_PROTOCOL_UDP);
  rule->add_networks("10.9.0.0/24");
  ASSERT_TRUE(agent_->Set(action, ++sequence_).ok());
  for (const bool bypass : {false, true})
    EXPECT_FALSE(FrameArrives(host_, {.interface = "up0", .source = "10.9.0.1", .bypass_qdisc = bypass},
                              there, kExpectNothing));
  EXPECT_TRUE(FrameArrives(host_, {.interface = "up0", .source = "10.9.0.1"}, {world_, "10.9.0.4", 54},
                           kExpectArrival))
      << "the rule is in force";
  EXPECT_FALSE(UdpArrives(host_, there, kExpectNothing)) << "it reaches the guard instead";
  EXPECT_TRUE(UdpArrives(host_, {world_, "10.9.0.4", 54}, kExpectArrival));
}

// A flow that connection tracking knows from before would not be redirected.
TEST_F(NamesTest, ISO2_AResolverSocketFromBeforeDoesNotLeadOutAnyMore) {
  host_.Run({"nft", "add table inet admins; add chain inet admins c { type nat hook output priority 0; }"});
  Established before(host_, {world_, "10.9.0.4", 53});
  ASSERT_TRUE(before.Reaches(true, kExpectArrival)) << "the positive control";
  SetNames({kPms});
  EXPECT_FALSE(before.Reaches(true, kExpectNothing));
  EXPECT_FALSE(before.Reaches(false, kExpectNothing));
}

// DNS over TLS and HTTPS are ordinary forbidden flows.
TEST_F(NamesTest, ResolversOfAnotherKindAreBlocked) {
  ASSERT_TRUE(Opens("10.9.0.4", 853)) << "the positive control";
  SetNames({kPms});
  EXPECT_TRUE(IsShut("10.9.0.4", 853));
  EXPECT_TRUE(IsShut("10.9.0.4", 443));
  EXPECT_FALSE(UdpArrives(host_, {world_, "10.9.0.4", 853}, kExpectNothing)) << "over QUIC";
}

// What remains of a tunnel below a wildcard is slow, and carries nothing but the name.
TEST_F(NamesTest, AWildcardIsAPoorTunnel) {
  resolver_->Says("a1.cloud.example.vet", {"10.9.0.3"});
  SetNames({"*.cloud.example.vet"});
  EXPECT_EQ(Ask("A1.cloud.EXAMPLE.vet").code, 0);
  int refused = 0;
  constexpr int kTries = 200;
  for (int i = 0; i < kTries; ++i)
    refused += Ask("x" + std::to_string(i) + ".cloud.example.vet").code == 2 ? 1 : 0;
  EXPECT_EQ(refused, kTries + 1 - agent::WildcardBudget::kBurst);
  EXPECT_EQ(resolver_->Asked().size(), size_t{agent::WildcardBudget::kBurst});
  EXPECT_EQ(Ask("a1.cloud.example.vet").addresses, std::set<std::string>{"10.9.0.3"})
      << "what is known costs nothing";
  EXPECT_EQ(resolver_->AllBytes().find("A1"), std::string::npos) << "nor does the case of letters";
}

}  // namespace
}  // namespace cordon::testing
