// What others set up on a host that keeps the agent from its controllers is named: one case for each kind.

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <fstream>

#include "agent/app/path_part.h"
#include "agent/link/address_book.h"
#include "platform/api/bypass_scanner.h"
#include "platform/api/obstruction_finder.h"
#include "platform/api/system.h"
#include "platform/linux/system/fd.h"
#include "tests/support/net_namespace.h"
#include "tests/support/policies.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Obstructed : public ::testing::Test {
 protected:
  Obstructed() {
    ConnectByVeth({host_, "up0", {"10.9.0.1/24"}}, {peer_, "eth0", {"10.9.0.2/24"}});
    host_.Ip("route add default via 10.9.0.2");
    inside_.emplace(host_);
    std::ofstream(folder_ / "hosts") << "127.0.0.1 localhost\n";
    finder_ = platform::MakeObstructionFinder((folder_ / "hosts").string());
  }
  std::vector<std::string> Find() { return finder_->Find(channel_); }

  NetNamespace host_{"host"};
  NetNamespace peer_{"peer"};
  TempFolder folder_;
  std::optional<InNetNamespace> inside_;
  std::unique_ptr<platform::ObstructionFinder> finder_;
  const platform::ChannelFacts channel_{.names = {"ctl.example"}, .controllers = {At("192.0.2.7", 8443)}};
};

TEST_F(Obstructed, NothingIsNamedWhereNothingIsInTheWay) {
  host_.Run({"nft",
             "add table inet admins; add chain inet admins c { type filter hook output priority 0; };"
             "add rule inet admins c tcp dport 22 drop"});
  EXPECT_THAT(Find(), IsEmpty());
}

TEST_F(Obstructed, ByARuleOfSomebodyElse) {
  host_.Run({"nft",
             "add table inet admins; add chain inet admins out { type filter hook output priority 0; };"
             "add rule inet admins out ip daddr 192.0.2.0/24 tcp dport 8443 counter drop"});
  EXPECT_THAT(Find(),
              Contains(HasSubstr("table inet admins, chain out: ip daddr 192.0.2.0/24 tcp dport 8443")));
}

TEST_F(Obstructed, ByAPolicyOfSomebodyElse) {
  host_.Run({"nft",
             "add table ip fw; add chain ip fw INPUT { type filter hook input priority 0; policy drop; };"
             "add rule ip fw INPUT udp dport 68 accept"});
  EXPECT_THAT(Find(), Contains(HasSubstr("table ip fw, chain INPUT")));
}

TEST_F(Obstructed, ByARoute) {
  host_.Ip("route add blackhole 192.0.2.0/24");
  EXPECT_THAT(Find(), Contains(HasSubstr("is a blackhole")));
  host_.Ip("route replace unreachable 192.0.2.0/24");
  EXPECT_THAT(Find(), Contains(HasSubstr("says unreachable")));
}

TEST_F(Obstructed, ByNoRouteAtAll) {
  host_.Ip("route del default");
  EXPECT_THAT(Find(), Contains(HasSubstr("there is no route to the controller 192.0.2.7:8443")));
}

TEST_F(Obstructed, ByARuleOfPolicyRoutingForTheAgentsMark) {
  host_.Ip("rule add fwmark 0x0c04d071 priority 77 prohibit");
  const std::vector<std::string> found = Find();
  EXPECT_THAT(found, Contains(HasSubstr("says prohibited")));
  EXPECT_THAT(found, Contains(HasSubstr("priority 77: prohibit")));
}

TEST_F(Obstructed, ByATrafficControlFilter) {
  host_.Run(
      {"sh", "-ec",
       "tc qdisc add dev up0 clsact; tc filter add dev up0 egress protocol ip u32 match ip dst 192.0.2.7/32 "
       "action mirred egress redirect dev lo"});
  EXPECT_THAT(Find(), Contains(HasSubstr("a traffic control filter (u32, mirred) on interface up0")));
}

TEST_F(Obstructed, ByAProgramAtTheInterface) {
  const bpf_insn pass[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
                           {.code = BPF_JMP | BPF_EXIT}};
  const platform::Fd program(bpf_prog_load(BPF_PROG_TYPE_XDP, "cordon_test", "GPL", pass, 2, nullptr));
  ASSERT_TRUE(program.Valid());
  const auto up0 = static_cast<int>(if_nametoindex("up0"));
  ASSERT_EQ(bpf_xdp_attach(up0, program.Get(), XDP_FLAGS_SKB_MODE, nullptr), 0);
  EXPECT_THAT(Find(), Contains(HasSubstr("an XDP program on interface up0")));
  EXPECT_THAT(platform::MakeBypassScanner()->Scan(), Contains(HasSubstr("an XDP program on interface up0")))
      << "ISO-7: it is a way past the rules as well";
  ASSERT_EQ(bpf_xdp_detach(up0, XDP_FLAGS_SKB_MODE, nullptr), 0);
  EXPECT_THAT(Find(), IsEmpty());
}

TEST_F(Obstructed, ByALineOfTheHostsFile) {
  std::ofstream(folder_ / "hosts") << "127.0.0.1 localhost\n10.0.0.1 ctl.example\n";
  EXPECT_THAT(Find(), Contains(HasSubstr("sends the controller's name ctl.example to 10.0.0.1")));
}

// The system's look-up reads the hosts file, so the false address is in the book as well.
TEST_F(Obstructed, ISO4_ByALineOfTheHostsFileThatTheAgentHasLookedUpItself) {
  const Endpoint good = At("192.0.2.7", 8443);
  agent::AddressBook book(folder_ / "addresses", {{"Ctl.example", 8443}});
  book.Learn("Ctl.example", {good.address});
  book.Prefer(book.Candidates().front());
  const std::unique_ptr<Clock> clock = platform::MakeSystemClock();
  agent::PathPart path(finder_.get(), clock.get(), book.Names(), [] { return false; });
  const auto prove = [&] {
    path.SetControllers(book.Endpoints());
    path.SetReached(book.Reached());
    path.Prove();
    return path.State();
  };
  std::ofstream(folder_ / "hosts") << "192.0.2.7 ctl.example\n";
  EXPECT_TRUE(prove().serving) << "the positive control: " << prove().detail;
  std::ofstream(folder_ / "hosts") << "10.0.0.1 ctl.EXAMPLE\n";
  EXPECT_TRUE(book.Learn("Ctl.example", {boost::asio::ip::make_address("10.0.0.1")}));
  EXPECT_FALSE(prove().serving);
  EXPECT_THAT(prove().detail, HasSubstr("sends the controller's name ctl.EXAMPLE to 10.0.0.1"));
  EXPECT_THAT(book.Endpoints(), Contains(good)) << "isolation leaves the live channel open";
}

}  // namespace
}  // namespace cordon::testing
