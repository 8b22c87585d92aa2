// ISO-3 at every step between two levels, with names and programs in the profile: whoever sends past the
// host's own sockets (containers, bridged neighbours, macvlan and ipvlan, packet sockets), judged packet by
// packet on the other side, during each step and after it.

#include <gtest/gtest.h>

#include "tests/security/isolation/level_walk.h"
#include "tests/support/soak.h"
#include "tests/support/subprocess.h"

namespace cordon::testing {
namespace {

// What the uplink's hooks let a neighbour and a frame do: what the profile opens for everybody of the host.
Kind ClosedFrom(Kind kind, Level level) {
  kind.closed_from = level;
  return kind;
}

// Of one sender: an address of the peer's own for each, so that every flow has its receiver.
struct Addresses {
  std::string v4;
  std::string v6;
};

class LevelSenders : public LevelWalk {
 protected:
  static constexpr const char* kPeer4[] = {"10.9.0.21", "10.9.0.22", "10.9.0.23", "10.9.0.24"};
  static constexpr const char* kPeer6[] = {"fd09::21", "fd09::22", "fd09::23", "fd09::24"};

  LevelSenders() {
    LinkEnd peer{lab_.peer, "eth0", {"10.9.0.2", "fd09::2"}};
    for (size_t at = 0; at < std::size(kPeer4); ++at) {
      for (const std::string address : {kPeer4[at], kPeer6[at]}) {
        const bool v6 = address.contains(':');
        lab_.peer.Ip(StrCat("addr add ", address, v6 ? "/64 dev eth0 nodad" : "/24 dev eth0"));
        peer.addresses.push_back(address);
        named_.push_back(address);
      }
    }
    const LinkEnd peer1{lab_.peer, "eth1", {"10.7.0.2", "fd07::2"}};
    const LinkEnd bridged{lab_.bridged, "eth0", {"10.7.0.3", "fd07::3"}};
    const LinkEnd guest{lab_.guest, "mv0", {"10.9.0.3", "fd09::3"}};
    const LinkEnd container{lab_.container, "eth0", {"10.8.0.2", "fd08::2"}};
    KnowNeighbour(lab_.host, "up0", peer);
    KnowNeighbour(lab_.host, "c0", container);
    KnowNeighbour(lab_.container, "eth0", {lab_.host, "c0", {"10.8.0.1", "fd08::1"}});
    KnowNeighbour(lab_.peer, "eth0", {lab_.host, "up0", {"10.9.0.1", "fd09::1"}});
    KnowNeighbour(lab_.peer, "eth0", guest);
    KnowNeighbour(lab_.guest, "mv0", peer);
    KnowNeighbour(lab_.bridged, "eth0", peer1);
    KnowNeighbour(lab_.peer, "eth1", bridged);
  }

  void Both(const std::string& way, const Kind& kind, const NetNamespace& from, const NetNamespace& to,
            const Addresses& at) {
    Add(StrCat(way, " 4"), kind, from, to, at.v4);
    Add(StrCat(way, " 6"), kind, from, to, at.v6);
  }

  // What nobody but the host itself may send from essential up.
  void AddStranger(const std::string& way, const NetNamespace& from, const NetNamespace& to,
                   const Addresses& at, uint16_t tcp_port) {
    for (const Kind& kind : {kLateral, kLateralOfOther, kOrdinary, kOther, kDns})
      Both(way, kind, from, to, at);
    Both(way, ClosedFrom(kProgram, Level::kEssential), from, to, at);
    Kind tcp = kTcpLateral;
    tcp.port = tcp_port;  // raw sockets of the peer tell senders apart by it
    Both(way, tcp, from, to, at);
  }

  // The profile's names and programs, without a program whose sockets this test could have.
  FilterPolicy PolicyAt(Level level) const {
    FilterPolicy policy = RichPolicy(level);
    if (policy.allow.empty()) return policy;
    policy.programs[0].path = "/usr/bin/printf";
    for (const std::string& address : named_)
      policy.name_sets[0].addresses.push_back(boost::asio::ip::make_address(address));
    std::ranges::sort(policy.name_sets[0].addresses);
    return policy;
  }

  void WalkAll() {
    WalkEveryStep(StormCount(1, 20), ApplyWithPrograms([this](Level level) { return PolicyAt(level); }),
                  true);
  }

  std::vector<std::string> named_;
};

TEST_F(LevelSenders, ISO3_NoStepBetweenLevelsLetsWhatIsForwardedOrBridgedPast) {
  const Addresses routed{kPeer4[0], kPeer6[0]};
  AddStranger("container out", lab_.container, lab_.peer, routed, 445);
  // An address that is open for a name is open for the host, and not for what it forwards.
  Both("container out", ClosedFrom(kNamed, Level::kEssential), lab_.container, lab_.peer, routed);
  AddStranger("bridged out", lab_.bridged, lab_.peer, {"10.7.0.2", "fd07::2"}, 135);
  for (const Kind& kind : {kLateral, kOrdinary, kTcpLateral, kTcpOrdinary}) {
    Both("container in", kind, lab_.peer, lab_.container, {"10.8.0.2", "fd08::2"});
    Both("bridged in", kind, lab_.peer, lab_.bridged, {"10.7.0.3", "fd07::3"});
  }
  WalkAll();
}

TEST_F(LevelSenders, ISO3_NoStepBetweenLevelsLetsAMacvlanOrAPacketSocketPast) {
  const Addresses neighbour{kPeer4[1], kPeer6[1]};
  AddStranger("macvlan out", lab_.guest, lab_.peer, neighbour, 445);
  for (const Kind& kind : {kNamed, kLateralByName})
    Both("macvlan out", kind, lab_.guest, lab_.peer, neighbour);  // as the host itself
  for (const Kind& kind : {kLateral, kOrdinary, kTcpLateral, kTcpOrdinary})
    Both("macvlan in", kind, lab_.peer, lab_.guest, {"10.9.0.3", "fd09::3"});
  for (const bool bypass : {false, true}) {
    const size_t at = bypass ? 3 : 2;
    for (Kind kind : {kLateral, kLateralOfOther, kOrdinary, kOther, kDns, kNamed, kLateralByName,
                      ClosedFrom(kProgram, Level::kEssential)}) {
      Add(bypass ? "frame 4, bypass" : "frame 4", kind, lab_.host, lab_.peer, kPeer4[at],
          Frame{"up0", "10.9.0.1", bypass});
      Add(bypass ? "frame 6, bypass" : "frame 6", kind, lab_.host, lab_.peer, kPeer6[at],
          Frame{"up0", "fd09::1", bypass});
    }
  }
  WalkAll();
}

// By an uplink of its own: an interface cannot have both kinds of neighbour.
TEST_F(LevelSenders, ISO3_NoStepBetweenLevelsLetsAnIpvlanPast) {
  const NetNamespace guest("ipvl");
  const LinkEnd peer{lab_.peer, "eth2", {"10.5.0.2/24", "fd05::2/64"}};
  ConnectByVeth({lab_.host, "up2", {}}, peer);
  const CommandResult added = RunCommand(
      {"ip", "-n", lab_.host.Name(), "link", "add", "iv0", "link", "up2", "type", "ipvlan", "mode", "l2"});
  if (added.status != 0) GTEST_SKIP() << "this kernel makes no ipvlan (CONFIG_IPVLAN): " << added.errors;
  lab_.host.Ip(StrCat("link set iv0 netns ", guest.Name()));
  for (const char* words :
       {"addr add 10.5.0.3/24 dev iv0", "addr add fd05::3/64 dev iv0 nodad", "link set iv0 up"}) {
    guest.Ip(words);
  }
  KnowNeighbour(guest, "iv0", {lab_.peer, "eth2", {"10.5.0.2", "fd05::2"}});
  named_.insert(named_.end(), {"10.5.0.2", "fd05::2"});
  AddStranger("ipvlan out", guest, lab_.peer, {"10.5.0.2", "fd05::2"}, 445);
  for (const Kind& kind : {kNamed, kLateralByName})
    Both("ipvlan out", kind, guest, lab_.peer, {"10.5.0.2", "fd05::2"});
  WalkAll();
}

}  // namespace
}  // namespace cordon::testing
