#include "tests/security/isolation/mutated_host.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <thread>

#include "common/base/strings.h"
#include "platform/api/program_marks.h"
#include "tests/support/actions.h"

namespace cordon::testing {

MutatedHost::MutatedHost() : seed_(Seed()), random_(seed_), pms_(InstallCaller(folder_ / "pms")) {
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
                            .marks = marks_.Get(),
                            .names = &names_,
                            .bypasses = bypasses_.get(),
                            .links = links_.get()},
      agent::IsolationOptions{.state_file = folder_ / "isolation.state", .boot_id = "boot-1"});
  EXPECT_TRUE(links_->Start([] {}).ok());
}

v1::IsolateAction MutatedHost::Profile(v1::Level level, bool rich) const {
  using enum v1::TransportProtocol;
  auto action = WithRule(Isolate(level), v1::DIRECTION_BOTH, TRANSPORT_PROTOCOL_UDP, {"10.9.0.2"}, 443);
  if (!rich) return action;
  action = WithRule(action, v1::DIRECTION_OUT, TRANSPORT_PROTOCOL_UDP, {}, kPortOfAName);
  action.mutable_profile()->mutable_allow(1)->add_names("pms.example.vet");
  action = WithRule(action, v1::DIRECTION_BOTH, TRANSPORT_PROTOCOL_UDP, {"10.9.0.0/24"}, kPortOfAProgram);
  action.mutable_profile()->mutable_allow(2)->mutable_program()->set_path(pms_);
  return action;
}

absl::StatusOr<v1::Receipt> MutatedHost::Order(const v1::IsolateAction& action) {
  const auto set = isolation_->Set(action, "order", ++sequence_);
  const bool takes_names = action.level() <= v1::LEVEL_ESSENTIAL && action.profile().allow_size() > 1;
  if (!set.ok() || !takes_names) return set;
  for (const char* address : {"10.9.0.77", "fd09::77"}) EXPECT_TRUE(names_.Opens(address).ok());
  return isolation_->ReadReceipt();
}

std::vector<RuleHandle> MutatedHost::Own(bool rules) const {
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

std::vector<std::string> MutatedHost::OwnSets() const {
  const CommandResult listed =
      RunCommand({"nft", "list", "sets", "inet"}, {.net_namespace = lab_.host.Name()});
  std::vector<std::string> sets;
  std::istringstream lines(listed.output);
  for (std::string line; std::getline(lines, line);) {
    const size_t name = line.find("set ");
    if (name != std::string::npos && line.ends_with("{"))
      sets.push_back(line.substr(name + 4, line.size() - name - 6));
  }
  return sets;
}

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
      StrCat("insert rule ", in, " udp dport { 53, 138, 139 } accept"),
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

// What rules with many networks and rules by name look up. At a level without any, nothing happens.
std::string MutatedHost::MutateOwnSets() {
  const std::vector<std::string> sets = OwnSets();
  if (sets.empty()) return "no set";
  const std::string set = Pick(sets);
  const std::string verb =
      Pick<std::string>({"add element", "add element", "add element", "delete element", "flush set"});
  const std::string element = verb == "flush set"        ? ""
                              : verb == "delete element" ? " { 10.9.0.77 }"
                              : set.contains('6')        ? " { fd09::2 }"
                                                         : " { 10.9.0.2 }";
  // In one of the tables, or in both, which lets packets pass.
  const std::string where = Pick<std::string>({"inet", "netdev", "both", "both"});
  std::string change;
  for (const std::string family : {"inet", "netdev"}) {
    if (where != "both" && where != family) continue;
    StrAppend(&change, change.empty() ? "" : "; ", verb, " ", family, " cordon ", set, element);
  }
  return StrCat(change, Nft(change) ? "" : " (refused)");
}

// What marks the sockets of the profile's program: gone, or another program's.
std::string MutatedHost::MutateMarks() {
  const bool another = Below(2) == 0;
  std::vector<platform::ProgramIdentity> programs;
  if (another) programs.push_back({.path = std::filesystem::read_symlink("/proc/self/exe"), .sha256 = {}});
  EXPECT_TRUE(platform::MakeProgramMarks()->Apply(programs).ok());
  return another ? "marks for this test" : "no marks";
}

std::string MutatedHost::AddForeignRules() {
  const std::string chain = Pick<std::string>({
      "{ type filter hook output priority -600; }; add rule inet other c accept",
      "{ type filter hook input priority -600; }; add rule inet other c accept",
      "{ type filter hook prerouting priority -600; }; add rule inet other c meta mark set 0x0c04d071",
      "{ type route hook output priority -600; }; add rule inet other c meta mark set 0x0c04d071",
      "{ type nat hook output priority -600; }; add rule inet other c udp dport 137 dnat ip to 10.9.0.2:443",
      "{ type nat hook prerouting priority -100; }; add rule inet other c udp dport 137 redirect to :443",
      "{ type nat hook output priority -600; }; add rule inet other c udp dport 139 dnat ip to 10.9.0.77:139",
      "{ type nat hook output priority -150; }; add rule inet other c udp dport 53 accept",
      StrCat("{ type route hook output priority -600; }; add rule inet other c meta mark set ",
             platform::ProgramTag(pms_, "")),
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
  switch (Below(13)) {
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
    case 9:
    case 10:
      return MutateOwnSets();
    case 11:
      return MutateMarks();
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
  isolation_->Tick();                         // and the marks
}

}  // namespace cordon::testing
