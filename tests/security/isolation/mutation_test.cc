// ISO-7: whatever is done to rules, interfaces and traffic control, a receipt never says `contained` while a
// forbidden packet passes. Packets are judged on the other side.

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "agent/isolation/isolation.h"
#include "common/base/strings.h"
#include "platform/api/link_watcher.h"
#include "platform/api/system.h"
#include "tests/fakes/fake_probes.h"
#include "tests/fakes/recording_sink.h"
#include "tests/security/isolation/leak_judge.h"
#include "tests/support/actions.h"
#include "tests/support/soak.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_folder.h"
#include "tests/support/traffic.h"

namespace cordon::testing {
namespace {

constexpr std::chrono::milliseconds kStragglers(60);

struct RuleHandle {
  std::string family;
  std::string chain;
  std::string handle;
};

// A host under isolation whose rules nobody repairs while they are looked at.
class MutatedHost : public ::testing::Test {
 protected:
  MutatedHost() : seed_(Seed()), random_(seed_) {
    printf("seed %u (CORDON_SEED repeats it)\n", seed_);
    inside_.emplace(lab_.host);
    connections_ = platform::MakeConnectionTable();
    escape_ = agent::MakeEscapeProbe();
    bypasses_ = platform::MakeBypassScanner();
    isolation_ = std::make_unique<agent::Isolation>(
        agent::IsolationParts{.filter = lab_.filter.get(),
                              .connections = connections_.get(),
                              .clock = clock_.get(),
                              .events = &events_,
                              .escape = escape_.get(),
                              .channel = &channel_,
                              .bypasses = bypasses_.get(),
                              .links = links_.get()},
        agent::IsolationOptions{.state_file = folder_ / "isolation.state", .boot_id = "boot-1"});
    EXPECT_TRUE(links_->Start([] {}).ok());
  }
  ~MutatedHost() override { links_->Stop(); }

  static unsigned Seed() {
    const char* const given = std::getenv("CORDON_SEED");
    return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                            : std::random_device()();
  }

  uint32_t Below(size_t bound) { return static_cast<uint32_t>(random_() % bound); }
  template <typename T>
  const T& Pick(const std::vector<T>& of) {
    return of[Below(of.size())];
  }
  // False when it was refused, which changes nothing.
  bool Run(std::vector<std::string> args) {
    return RunCommand(std::move(args), {.net_namespace = lab_.host.Name()}).status == 0;
  }
  bool Nft(const std::string& change) { return Run({"nft", change}); }
  bool Shell(const std::string& script) { return Run({"sh", "-ec", script}); }

  // Cordon's own rules, or chains (with an empty handle).
  std::vector<RuleHandle> Own(bool rules) {
    std::vector<RuleHandle> own;
    for (const std::string family : {"inet", "netdev"}) {
      const CommandResult listed =
          RunCommand({"nft", "-a", "list", "table", family, "cordon"}, {.net_namespace = lab_.host.Name()});
      std::istringstream lines(listed.output);
      std::string chain;
      for (std::string line; std::getline(lines, line);) {
        const size_t handle = line.find(" # handle ");
        const size_t name = line.find("chain ");
        if (line.find("{") != std::string::npos && name != std::string::npos && line[0] == '\t' &&
            line[1] == 'c') {
          chain = line.substr(name + 6, line.find(" {") - name - 6);
          if (!rules) own.push_back({family, chain, ""});
        } else if (rules && handle != std::string::npos && line.starts_with("\t\t")) {
          own.push_back({family, chain, line.substr(handle + 10)});
        }
      }
    }
    return own;
  }

  // What was changed, for messages.
  std::string Mutate();
  std::string MutateOwnRules();
  std::string MutateOwnTables();
  std::string AddForeignRules();
  std::string ChangeInterfaces();
  std::string ChangeTrafficControl();
  void Undo();

  const unsigned seed_;
  std::mt19937 random_;
  Lab lab_;
  NetNamespace elsewhere_{"else"};
  std::optional<InNetNamespace> inside_;
  TempFolder folder_;
  std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  RecordingSink events_;
  FakeChannelProbe channel_;
  std::unique_ptr<platform::LinkWatcher> links_ = platform::MakeLinkWatcher();
  std::unique_ptr<platform::ConnectionTable> connections_;
  std::unique_ptr<agent::EscapeProbe> escape_;
  std::unique_ptr<platform::BypassScanner> bypasses_;
  std::unique_ptr<agent::Isolation> isolation_;
  std::vector<std::string> undo_;  // shell commands, run in the host's namespace
};

std::string MutatedHost::MutateOwnRules() {
  const std::vector<RuleHandle> rules = Own(true);
  const std::vector<RuleHandle> chains = Own(false);
  if (rules.empty() || chains.empty()) return "nothing";
  const RuleHandle rule = Pick(rules);
  const RuleHandle chain = Pick(chains);
  const std::string at = StrCat(rule.family, " cordon ", rule.chain, " handle ", rule.handle);
  const std::string in = StrCat(chain.family, " cordon ", chain.chain);
  const std::string change = Pick<std::string>({
      StrCat("delete rule ", at),
      StrCat("replace rule ", at, " accept"),
      StrCat("replace rule ", at, " counter"),
      StrCat("insert rule ", in, " accept"),
      StrCat("insert rule ", in, " udp dport 137 accept"),
      StrCat("insert rule ", in, " meta l4proto udp return"),
      StrCat("add rule ", in, " accept"),
      StrCat("flush chain ", in),
      StrCat("flush chain ", in, "; delete chain ", in),
  });
  return StrCat(change, Nft(change) ? "" : " (refused)");
}

std::string MutatedHost::MutateOwnTables() {
  const std::string change = Pick<std::string>({
      "delete table inet cordon",
      "delete table netdev cordon",
      "flush table inet cordon",
      "flush table netdev cordon",
      "flush ruleset",
      "table inet cordon { flags dormant; }",
      "table netdev cordon { flags dormant; }",
      "add chain inet cordon early { type filter hook output priority -600; policy accept; }",
      "add chain inet cordon early { type filter hook output priority -600; policy accept; }; add rule inet "
      "cordon early "
      "accept",
      "chain inet cordon output { policy drop; }",
      "chain inet cordon input { policy drop; }",
      "add set inet cordon extra { type ipv4_addr; }",
      "delete table netdev cordon; add table netdev cordon",
  });
  return StrCat(change, Nft(change) ? "" : " (refused)");
}

std::string MutatedHost::AddForeignRules() {
  const std::string chain = Pick<std::string>({
      "{ type filter hook output priority -600; }; add rule inet other c accept",
      "{ type filter hook input priority -600; }; add rule inet other c accept",
      "{ type filter hook prerouting priority -600; }; add rule inet other c meta mark set 0x0c04d071",
      "{ type route hook output priority -600; }; add rule inet other c meta mark set 0x0c04d071",
      "{ type nat hook output priority -600; }; add rule inet other c udp dport 137 dnat ip to 10.9.0.2:443",
      "{ type nat hook prerouting priority -100; }; add rule inet other c udp dport 137 redirect to :443",
      "{ type filter hook prerouting priority -600; }; add rule inet other c udp dport 137 tproxy ip to :137 "
      "accept",
  });
  const std::string device = Pick<std::string>({
      "{ type filter hook ingress device \"up0\" priority -600; }; add rule netdev other c fwd to \"lo\"",
      "{ type filter hook ingress device \"up0\" priority -600; }; add rule netdev other c dup to \"lo\"",
      "{ type filter hook ingress device \"c0\" priority -600; }; add rule netdev other c fwd to \"up0\"",
      "{ type filter hook egress device \"up0\" priority 600; }; add rule netdev other c ip daddr set "
      "10.9.0.2",
      "{ type filter hook egress device \"up0\" priority -600; }; add rule netdev other c dup to \"up1\"",
      "{ type filter hook ingress device \"up0\" priority -600; }; add rule netdev other c accept",
      "{ type filter hook egress device \"lo\" priority 0; }; add rule netdev other c fwd to \"up0\"",
      "{ type filter hook egress device \"lo\" priority 0; }; add rule netdev other c dup to \"up0\"",
  });
  const bool at_device = Below(2) == 0;
  const std::string family = at_device ? "netdev" : "inet";
  const std::string change =
      StrCat("add table ", family, " other; add chain ", family, " other c ", at_device ? device : chain);
  undo_.push_back(StrCat("nft delete table ", family, " other"));
  return StrCat(change, Nft(change) ? "" : " (refused)");
}

std::string MutatedHost::ChangeInterfaces() {
  struct Change {
    std::string what;
    std::string change;
    std::string undo;
  };
  const std::string peer = lab_.peer.Name();
  const std::string other = elsewhere_.Name();
  const std::string addresses =
      "ip addr replace 10.9.0.1/24 dev up0; ip -6 addr replace fd09::1/64 dev up0 nodad";
  const Change change = Pick<Change>({
      {"an interface appears",
       StrCat("ip link add new0 type veth peer name new0 netns ", peer,
              "; ip addr add 10.5.0.1/24 dev new0; ip link set new0 up; ip -n ", peer, " link set new0 up"),
       "ip link del new0"},
      {"an interface is renamed", "ip link set up0 down; ip link set up0 name up9; ip link set up9 up",
       StrCat("ip link set up9 down; ip link set up9 name up0; ip link set up0 up; ", addresses)},
      {"an interface moves away",
       StrCat("ip link set up0 netns ", other, "; ip -n ", other, " addr add 10.9.0.1/24 dev up0; ip -n ",
              other, " link set up0 up"),
       StrCat("ip -n ", other, " link set up0 netns ", lab_.host.Name(), "; ip link set up0 up; ",
              addresses)},
      {"an interface moves away and back",
       StrCat("ip link set up0 netns ", other, "; ip -n ", other, " link set up0 netns ", lab_.host.Name(),
              "; ip link set up0 up; ", addresses),
       ""},
      {"a bridge loses a port", "ip link set b0 nomaster", "ip link set b0 master br1"},
      {"a macvlan appears", "ip link add mv9 link up0 type macvlan mode bridge; ip link set mv9 up",
       "ip link del mv9"},
  });
  undo_.push_back(change.undo);
  return StrCat(change.what, Shell(change.change) ? "" : " (refused)");
}

std::string MutatedHost::ChangeTrafficControl() {
  const std::string from = Pick<std::string>({"lo", "up0", "c0", "b0"});
  const std::string way = Pick<std::string>({"ingress", "egress"});
  const std::string what = Pick<std::string>({"egress redirect dev up0", "egress mirror dev up0",
                                              "egress redirect dev up1", "ingress redirect dev lo"});
  const std::string change = StrCat("tc qdisc add dev ", from, " clsact; tc filter add dev ", from, " ", way,
                                    " protocol all u32 match u32 0 0 action mirred ", what);
  undo_.push_back(StrCat("tc qdisc del dev ", from, " clsact"));
  return StrCat(change, Shell(change) ? "" : " (refused)");
}

std::string MutatedHost::Mutate() {
  switch (Below(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return MutateOwnRules();
    case 4:
    case 5:
      return MutateOwnTables();
    case 6:
    case 7:
      return AddForeignRules();
    case 8:
      return ChangeInterfaces();
    default:
      return ChangeTrafficControl();
  }
}

void MutatedHost::Undo() {
  for (const std::string& command : undo_) {
    if (!command.empty()) Run({"sh", "-c", command});
  }
  undo_.clear();
  for (int wait = 0; wait < 200 && !links_->MovedAway().empty(); ++wait) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  isolation_->OnLinksChanged(links_->MovedAway());
  EXPECT_FALSE(isolation_->Prove().code() ==
               absl::StatusCode::kInternal);  // it says what it found, and puts it right
}

// The judge sees what leaks when nothing is enforced, on every way.
TEST_F(MutatedHost, TheJudgeSeesEveryWay) {
  LeakJudge judge(lab_);
  std::set<std::string> arrived;
  for (int attempt = 0; attempt < 5 && arrived != LeakJudge::AllWays(); ++attempt) {
    arrived.merge(judge.Send(std::chrono::milliseconds(400)));
  }
  EXPECT_EQ(arrived, LeakJudge::AllWays());
}

TEST_F(MutatedHost, ISO7_NeverSaysContainedWhileAForbiddenPacketPasses) {
  LeakJudge judge(lab_);
  judge.Send(std::chrono::milliseconds(400));  // neighbours are known from here on
  const int mutations = StormCount(200, 2'000);
  int leaked = 0;
  int contained = 0;
  std::map<std::string, int> ways;
  uint64_t sequence = 0;
  for (int round = 0; round < mutations; ++round) {
    const v1::Level level = Pick<v1::Level>(
        {v1::LEVEL_NO_LATERAL, v1::LEVEL_ESSENTIAL, v1::LEVEL_CONTROLLER_ONLY, v1::LEVEL_DARK});
    const auto action =
        WithRule(Isolate(level), v1::DIRECTION_BOTH, v1::TRANSPORT_PROTOCOL_UDP, {"10.9.0.2"}, 443);
    const auto before = isolation_->Set(action, "order", ++sequence);
    ASSERT_TRUE(before.ok()) << before.status();
    ASSERT_EQ(before->containment(), v1::CONTAINMENT_CONTAINED)
        << "round " << round << ", the positive control: " << before->ShortDebugString();
    const std::string mutation = Mutate();
    SCOPED_TRACE(StrCat("round ", round, ", ", v1::Level_Name(level), ": ", mutation));
    const std::set<std::string> arrived = judge.Send(kStragglers);
    const v1::Receipt receipt = isolation_->ReadReceipt();
    const bool says_contained = receipt.containment() == v1::CONTAINMENT_CONTAINED;
    if (!arrived.empty()) {
      ++leaked;
      for (const std::string& way : arrived) ++ways[way];
      EXPECT_FALSE(says_contained) << ::testing::PrintToString(arrived) << " passed";
    }
    if (says_contained) ++contained;
    Undo();
    const v1::Receipt after = isolation_->ReadReceipt();
    ASSERT_EQ(after.containment(), v1::CONTAINMENT_CONTAINED) << "put right: " << after.ShortDebugString();
    ASSERT_TRUE(judge.Send(std::chrono::milliseconds(10)).empty());
  }
  printf("%d mutations: a packet passed after %d, the receipt said contained after %d\n", mutations, leaked,
         contained);
  for (const auto& [way, count] : ways) printf("  %s: %d\n", way.c_str(), count);
  EXPECT_GT(leaked, mutations / 10) << "the mutations have no teeth";
  EXPECT_GT(contained, 0) << "the receipt never says contained";
}

// An interface in another namespace is out of reach of the rules; the receipt says so until it comes back.
TEST_F(MutatedHost, ISO7_AnUplinkThatWasMovedAwayIsTold) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_CONTROLLER_ONLY), "order", 1).ok());
  const auto told = [&] {
    for (int wait = 0; wait < 200 && links_->MovedAway().empty(); ++wait) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    isolation_->OnLinksChanged(links_->MovedAway());
    return isolation_->ReadReceipt();
  };
  ASSERT_TRUE(Shell(StrCat("ip link set up0 netns ", elsewhere_.Name())));
  const v1::Receipt away = told();
  EXPECT_EQ(away.containment(), v1::CONTAINMENT_PARTIAL);
  ASSERT_GE(away.reasons_size(), 1);
  EXPECT_NE(away.reasons(0).find("up0 was moved"), std::string::npos) << away.ShortDebugString();
  // One end of a cable within the host is no way out: containers get theirs like that.
  ASSERT_TRUE(
      Shell(StrCat("ip -n ", elsewhere_.Name(), " link set up0 netns ", lab_.host.Name(),
                   "; ip link add ce0 type veth peer name ce1; ip link set ce1 netns ", elsewhere_.Name())));
  for (int wait = 0; wait < 200 && !links_->MovedAway().empty(); ++wait) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  isolation_->OnLinksChanged(links_->MovedAway());
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_CONTAINED)
      << isolation_->ReadReceipt().ShortDebugString();
}

TEST_F(MutatedHost, ISO7_AProgramAtAnInterfaceAndItsSocketsAreTold) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_CONTROLLER_ONLY), "order", 1).ok());
  const auto reasons = [&] { return isolation_->ReadReceipt().ShortDebugString(); };
  {
    const platform::Fd xdp(socket(44 /* AF_XDP */, SOCK_RAW | SOCK_CLOEXEC, 0));
    ASSERT_TRUE(xdp.Valid());
    EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_PARTIAL);
    EXPECT_NE(reasons().find("AF_XDP"), std::string::npos) << reasons();
  }
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_CONTAINED) << reasons();
  ASSERT_TRUE(
      Shell("tc qdisc add dev lo clsact; tc filter add dev lo egress protocol all u32 match u32 0 0 action "
            "mirred egress redirect dev up0"));
  LeakJudge judge(lab_);
  EXPECT_TRUE(judge.Send(kStragglers).contains("loopback out")) << "the positive control";
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_PARTIAL);
  EXPECT_NE(reasons().find("interface lo"), std::string::npos) << reasons();
}

}  // namespace
}  // namespace cordon::testing
