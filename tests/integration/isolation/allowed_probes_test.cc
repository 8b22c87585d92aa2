// ISO-7, the other side: what the profile allows passes this host's own rules, or the receipt names it.

#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "tests/integration/isolation/lab.h"
#include "tests/support/actions.h"
#include "tests/support/traffic.h"
#include "tests/support/watched_isolation.h"

namespace cordon::testing {
namespace {

constexpr const char* kPractice = "the practice system";

class AllowedProbes : public ::testing::Test {
 protected:
  AllowedProbes() {
    KnowNeighbour(lab_.host, "up0", {lab_.peer, "eth0", {"10.9.0.2", "fd09::2"}});
    v1::IsolateAction action = Isolate(v1::LEVEL_ESSENTIAL);
    action = WithRule(action, v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_UDP, {"10.9.0.2", "fd09::2"}, 514);
    action = WithRule(action, v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_TCP, {"10.9.0.2", "fd09::2"}, 443);
    action.mutable_profile()->mutable_allow(1)->set_comment(kPractice);
    action = WithRule(action, v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_ICMP, {"10.9.0.2", "fd09::2"});
    const auto receipt = isolation_.Set(action);
    EXPECT_TRUE(receipt.ok()) << receipt.status();
  }

  // "tcp4 allowed" -> outcome, of the newest receipt.
  static std::map<std::string, v1::Probe::Outcome> OutcomesOf(const v1::Receipt& receipt) {
    std::map<std::string, v1::Probe::Outcome> outcomes;
    for (const v1::Probe& probe : receipt.probes())
      if (probe.expected_open()) outcomes[probe.name()] = probe.outcome();
    return outcomes;
  }
  void ExpectAllPass() {
    const v1::Receipt receipt = isolation_.Receipt();
    EXPECT_EQ(receipt.containment(), v1::CONTAINMENT_CONTAINED) << receipt.ShortDebugString();
    EXPECT_EQ(receipt.reasons_size(), 0) << receipt.ShortDebugString();
    const auto outcomes = OutcomesOf(receipt);
    EXPECT_EQ(outcomes.size(), 6U);
    for (const auto& [name, outcome] : outcomes) EXPECT_EQ(outcome, v1::Probe::OUTCOME_PASSED) << name;
  }
  void ExpectStopped(const std::string& probe, const std::string& rule, const std::string& destination) {
    const v1::Receipt receipt = isolation_.Receipt();
    EXPECT_EQ(receipt.containment(), v1::CONTAINMENT_CONTAINED) << "closed too far is closed";
    ASSERT_EQ(receipt.reasons_size(), 1) << receipt.ShortDebugString();
    EXPECT_TRUE(receipt.reasons(0).starts_with(rule + " allows " + destination)) << receipt.reasons(0);
    for (const auto& [name, outcome] : OutcomesOf(receipt))
      EXPECT_EQ(outcome, name == probe ? v1::Probe::OUTCOME_BLOCKED : v1::Probe::OUTCOME_PASSED) << name;
  }
  // A number of the peer's /proc/net/snmp or snmp6: packets that came with a wrong checksum.
  uint64_t PeerDropped(const std::string& protocol) {
    std::istringstream lines(lab_.peer.Run({"nstat", "-asz", protocol + "InCsumErrors"}));
    std::string name;
    uint64_t count = 0;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      if (words >> name >> count && name == protocol + "InCsumErrors") return count;
    }
    ADD_FAILURE() << "nstat tells nothing of " << protocol;
    return 0;
  }

  Lab lab_;
  WatchedIsolation isolation_{lab_.host, *lab_.filter};
};

TEST_F(AllowedProbes, ISO7_WhatAForeignRuleStopsIsNamedWithItsRule) {
  ExpectAllPass();  // the positive control
  EXPECT_TRUE(TcpArrives(lab_.host, {lab_.peer, "10.9.0.2", 443}, kExpectArrival));

  lab_.host.Run({"nft",
                 "add table inet others; add chain inet others out { type filter hook output priority 0; };"
                 "add rule inet others out ip daddr 10.9.0.2 tcp dport 443 drop"});
  EXPECT_FALSE(TcpArrives(lab_.host, {lab_.peer, "10.9.0.2", 443}, kExpectNothing));
  ExpectStopped("tcp4 allowed", std::string("profile rule 2 (") + kPractice + ")", "10.9.0.2:443");
  lab_.host.Run({"nft", "delete table inet others"});
  ExpectAllPass();

  lab_.host.Run(
      {"nft",
       "add table inet others; add chain inet others out { type filter hook postrouting priority 0; };"
       "add rule inet others out ip6 daddr fd09::2 udp dport 514 drop"});
  ExpectStopped("udp6 allowed", "profile rule 1", "[fd09::2]:514");
  lab_.host.Run({"nft", "delete table inet others"});
  ExpectAllPass();
}

TEST_F(AllowedProbes, ISO7_WhatAnInterfacesOwnHookStopsIsNamedToo) {
  lab_.host.Run({"nft",
                 "add table netdev others; add chain netdev others out { type filter hook egress device up0 "
                 "priority 0; };"
                 "add rule netdev others out ip daddr 10.9.0.2 icmp type echo-request drop"});
  ExpectStopped("icmp4 allowed", "profile rule 3", "10.9.0.2:0");
  lab_.host.Run({"nft", "delete table netdev others"});
  ExpectAllPass();
}

// Nobody listens there, or the whole machine is gone: no fault of this host's rules.
TEST_F(AllowedProbes, APeerThatIsDownIsNoFaultOfIsolation) {
  lab_.peer.Ip("link set eth0 down");
  const v1::Receipt receipt = isolation_.Receipt();
  EXPECT_EQ(receipt.containment(), v1::CONTAINMENT_CONTAINED);
  EXPECT_EQ(receipt.reasons_size(), 0) << receipt.ShortDebugString();
}

TEST_F(AllowedProbes, ThePeerDropsThemUnread) {
  for (const char* protocol : {"Tcp", "Udp", "Icmp"}) {
    const uint64_t before = PeerDropped(protocol);
    isolation_.Receipt();
    EXPECT_GT(PeerDropped(protocol), before) << protocol << ": it has left, and was not read";
  }
  const uint64_t before = PeerDropped("Udp6");
  isolation_.Receipt();
  EXPECT_GT(PeerDropped("Udp6"), before);
  // No half-open connection stays behind.
  EXPECT_EQ(lab_.peer.Run({"ss", "-Htan", "state", "syn-recv"}), "");
}

}  // namespace
}  // namespace cordon::testing
