// A DHCP client renews its lease under the real agent and guard: it writes /etc/resolv.conf anew and renames
// it into place.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/integration/agent/agent_program.h"
#include "tests/support/actions.h"
#include "tests/support/dns.h"
#include "tests/support/traffic.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

class ResolversProgramTest : public AgentProgram {
 protected:
  ResolversProgramTest() {
    peer_.Ip("addr add 10.77.0.67/24 dev lan0");
    std::filesystem::create_directory(folder_ / "etc");
    // The agent asks whom the system names.
    std::ofstream(folder_ / "agent.toml") << "[agent]\nstate_dir = \"" << State().string()
                                          << "\"\nhost_name = \"front-desk\"\n[watch]\npaths = [\""
                                          << (folder_ / "watched").string() << "\"]\n";
  }

  void LeaseNames(const std::string& resolver) const {
    std::ofstream(folder_ / "etc" / "resolv.conf.dhclient-new") << "nameserver " << resolver << "\n";
    std::filesystem::rename(folder_ / "etc" / "resolv.conf.dhclient-new", folder_ / "etc" / "resolv.conf");
  }
  // With the test's folder in the place of /etc, which only the agent sees.
  void StartWithOwnEtc() {
    Start({"unshare", "--mount", "sh", "-ec", "mount --bind \"$0\" /etc; exec \"$@\"",
           (folder_ / "etc").string()});
  }
  DnsReply Ask(const std::string& name) const {
    return AskDns(host_, {.server = "10.77.0.66", .name = name, .patience = std::chrono::seconds(5)});
  }
};

TEST_F(ResolversProgramTest, TheServersOfARenewedLeaseAreAskedFromThenOn) {
  DnsServer old_one(peer_, "10.77.0.66");
  DnsServer new_one(peer_, "10.77.0.67");
  old_one.Says("pms.example.vet", {"10.77.0.66"});
  for (DnsServer* server : {&old_one, &new_one}) server->Says("lab.example.vet", {"10.77.0.67"});
  LeaseNames("10.77.0.66");
  ASSERT_EQ(Enroll().status, 0);
  StartWithOwnEtc();
  Order(1, [](v1::Order* order) {
    *order->mutable_isolate() =
        WithRule(Isolate(v1::LEVEL_ESSENTIAL), v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_TCP, {}, 443);
    for (const char* name : {"pms.example.vet", "*.example.vet"})
      order->mutable_isolate()->mutable_profile()->mutable_allow(0)->add_names(name);
  });
  ASSERT_TRUE(OutcomeComes(v1::OrderOutcome::STATE_DONE));
  EXPECT_EQ(Ask("pms.example.vet").addresses, std::set<std::string>{"10.77.0.66"}) << agent_->Errors();
  EXPECT_TRUE(new_one.Asked().empty());

  LeaseNames("10.77.0.67");
  old_one.FallSilent();
  // docs/levels.md: they are looked for every ten seconds.
  EXPECT_TRUE(
      Eventually([&] { return Ask("lab.example.vet").addresses == std::set<std::string>{"10.77.0.67"}; },
                 std::chrono::seconds(30)));
  EXPECT_TRUE(new_one.WasAsked("lab.example.vet"));
  EXPECT_TRUE(TcpArrives(host_, {peer_, "10.77.0.67", 443}, kExpectArrival));
  EXPECT_FALSE(TcpArrives(host_, {peer_, "10.77.0.67", 444}, kExpectNothing));
  EXPECT_EQ(Ask("evil.test").code, 5) << "and nothing else is";
  EXPECT_FALSE(new_one.WasAsked("evil.test"));
  EXPECT_THAT(Run({"status"}).output, HasSubstr("isolation     essential, contained"));
}

}  // namespace
}  // namespace cordon::testing
