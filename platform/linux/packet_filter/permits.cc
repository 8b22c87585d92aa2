#include "platform/linux/packet_filter/permits.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <utility>

#include "common/base/strings.h"
#include "platform/api/lateral.h"
#include "platform/api/program_marks.h"
#include "platform/linux/packet_filter/intervals.h"
#include "platform/linux/system/agent_mark.h"

namespace cordon::platform {
namespace {

// "Not a bare SYN": what answers a connection, or belongs to one, and never opens one.
constexpr std::string_view kNotOpening = " tcp flags != syn / syn,ack";

// Programs that ask over UDP do so from here, or from the port that they ask (NTP).
constexpr PortRange kClientPorts = {.first = 1024, .last = 65535};

// The words for one side of a packet: `ip daddr SET` / `ip6 saddr SET`.
std::string AddressMatch(bool v6, bool destination, const std::string& set) {
  return StrCat(v6 ? "ip6 " : "ip ", destination ? "daddr " : "saddr ", set);
}

std::string_view Name(FlowProtocol protocol) {
  return protocol == FlowProtocol::kTcp ? "tcp" : "udp";
}

// A mark as nftables prints it.
std::string MarkText(uint32_t mark) {
  return fmt::format("0x{:08x}", mark);
}

std::vector<Endpoint> Sorted(std::vector<Endpoint> endpoints) {
  std::sort(endpoints.begin(), endpoints.end());
  endpoints.erase(std::unique(endpoints.begin(), endpoints.end()), endpoints.end());
  return endpoints;
}

// Packets of a flow towards the side that accepts it. `socket`: what is asked of the socket besides.
std::string Forward(const std::string& address, FlowProtocol protocol, const std::vector<PortRange>& ports,
                    std::string_view socket = {}) {
  if (ports.empty()) return StrCat(address, " meta l4proto ", Name(protocol), socket, " accept");
  return StrCat(address, " ", Name(protocol), " dport ", PortSetText(ports), socket, " accept");
}

// Packets of a flow from the side that accepted it.
std::string Reply(const std::string& address, FlowProtocol protocol, const std::vector<PortRange>& ports,
                  std::string_view socket = {}) {
  const std::string from = ports.empty() ? "" : StrCat(" ", Name(protocol), " sport ", PortSetText(ports));
  if (protocol == FlowProtocol::kTcp) return StrCat(address, from, kNotOpening, socket, " accept");
  std::vector<PortRange> clients = ports;
  clients.push_back(kClientPorts);
  return StrCat(address, from, " udp dport ", PortSetText(JoinPorts(std::move(clients))), socket, " accept");
}

// TCP packets that carry no data, for the moments at which the kernel has no whole socket to ask: the end of
// a handshake, and the end of a connection that this host has closed. They open nothing, and what answers
// them is asked for its mark.
std::string WithoutData(const std::string& address, bool v6, bool from_accepting_side,
                        const std::vector<PortRange>& ports) {
  const std::string at =
      ports.empty() ? "" : StrCat(" tcp ", from_accepting_side ? "sport " : "dport ", PortSetText(ports));
  // Headers with the time stamp option.
  return StrCat(address, at, kNotOpening, " meta length <= ", v6 ? 72 : 52, " accept");
}

// Gathers the networks of flows: few of them stand in the rule, many in a set.
class NetworkSets {
 public:
  NetworkSets(Slot slot, std::vector<AddressSet>* sets) : slot_(slot), sets_(sets), first_(sets->size()) {}

  PeerTexts TextsOf(const std::vector<Network>& networks) {
    return {.v4 = TextOf(networks, false), .v6 = TextOf(networks, true)};
  }

 private:
  static constexpr size_t kMostInRule = 16;

  std::string TextOf(const std::vector<Network>& networks, bool v6) {
    if (networks.size() <= kMostInRule) return AddressSetText(networks, v6);
    std::vector<Interval> intervals = IntervalsOf(networks, v6);
    if (intervals.size() <= kMostInRule) return AddressSetText(networks, v6);
    const auto same = std::find_if(sets_->begin() + first_, sets_->end(), [&](const AddressSet& set) {
      return set.v6 == v6 && set.elements == intervals;
    });
    if (same != sets_->end()) return "@" + same->name;
    const size_t index = sets_->size() - static_cast<size_t>(first_);
    const bool ranges = !std::ranges::all_of(intervals, &Interval::IsOneAddress);
    sets_->push_back({.name = NetworkSetName(index, v6, slot_),
                      .v6 = v6,
                      .ranges = ranges,
                      .elements = std::move(intervals)});
    return StrCat("@", sets_->back().name);
  }

  Slot slot_;
  std::vector<AddressSet>* sets_;
  std::ptrdiff_t first_;  // before it stand the sets of names
};

PeerTexts NamesOf(size_t name_set, Slot slot) {
  return {.v4 = StrCat("@", NameSetName(name_set, false, slot)),
          .v6 = StrCat("@", NameSetName(name_set, true, slot))};
}

// A flow of one program. What leaves carries its mark. What arrives is asked for its socket where that is
// known, at the inet hooks; the hooks of the uplink let pass what those then judge.
void AddProgramFlow(Lines* lines, const ProfileFlow& flow, const PeerTexts& peers, bool at_uplink) {
  const std::string socket = at_uplink ? "" : StrCat(" socket mark ", MarkText(flow.mark));
  for (const bool v6 : {false, true}) {
    const std::string& set = v6 ? peers.v6 : peers.v4;
    if (set.empty()) continue;
    const std::string to = StrCat("meta mark ", MarkText(flow.mark), " ", AddressMatch(v6, true, set));
    const std::string from = AddressMatch(v6, false, set);
    if (flow.protocol == FlowProtocol::kIcmpEcho) {
      // The answer belongs to no socket.
      lines->out.push_back(StrCat(to, v6 ? " icmpv6" : " icmp", " type echo-request accept"));
      lines->in.push_back(StrCat(from, v6 ? " icmpv6" : " icmp", " type echo-reply accept"));
    } else if (!flow.peer_opens) {
      lines->out.push_back(Forward(to, flow.protocol, flow.ports));
      lines->in.push_back(Reply(from, flow.protocol, flow.ports, socket));
    } else {
      lines->in.push_back(Forward(from, flow.protocol, flow.ports, socket));
      lines->out.push_back(Reply(to, flow.protocol, flow.ports));
    }
    if (flow.protocol == FlowProtocol::kTcp && !at_uplink) {
      lines->in.push_back(WithoutData(from, v6, !flow.peer_opens, flow.ports));
    }
  }
}

void AddFlow(Lines* lines, const ProfileFlow& flow, const PeerTexts& peers) {
  for (const bool v6 : {false, true}) {
    const std::string& set = v6 ? peers.v6 : peers.v4;
    if (set.empty()) continue;
    const std::string to = AddressMatch(v6, true, set);
    const std::string from = AddressMatch(v6, false, set);
    if (flow.protocol == FlowProtocol::kIcmpEcho) {
      const std::string request = StrCat(v6 ? " icmpv6" : " icmp", " type echo-request accept");
      const std::string reply = StrCat(v6 ? " icmpv6" : " icmp", " type echo-reply accept");
      lines->out.push_back(to + (flow.peer_opens ? reply : request));
      lines->in.push_back(from + (flow.peer_opens ? request : reply));
    } else if (!flow.peer_opens) {
      lines->out.push_back(Forward(to, flow.protocol, flow.ports));
      lines->in.push_back(Reply(from, flow.protocol, flow.ports));
    } else {
      lines->in.push_back(Forward(from, flow.protocol, flow.ports));
      lines->out.push_back(Reply(to, flow.protocol, flow.ports));
    }
  }
}

}  // namespace

Lines NetworkUpkeep() {
  return {
      .out =
          {
              // To the broadcast address only: port 67 of any address would be a tunnel. A client whose
              // unicast renewal is not answered asks by broadcast before its lease ends.
              "ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept",
              "ip6 saddr fe80::/10 ip6 daddr ff02::1:2 udp sport 546 udp dport 547 accept",
              "ip6 daddr ff02::2 ip6 hoplimit 255 icmpv6 type nd-router-solicit accept",
              "ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
              // Switches that watch multicast groups lose neighbour discovery without these.
              "ip6 daddr ff02::16 ip6 hoplimit 1 icmpv6 type mld2-listener-report accept",
              "ip6 daddr ff02::/16 ip6 hoplimit 1 icmpv6 type { mld-listener-report, mld-listener-done } "
              "accept",
          },
      .in =
          {
              "ip daddr 255.255.255.255 udp sport 67 udp dport 68 accept",
              "ip saddr { 0.0.0.0/1, 128.0.0.0/1 } udp sport 67 udp dport 68 accept",
              "ip6 saddr fe80::/10 ip6 daddr fe80::/10 udp sport 547 udp dport 546 accept",
              "ip6 saddr fe80::/10 ip6 hoplimit 255 icmpv6 type nd-router-advert accept",
              "ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
              "ip6 saddr fe80::/10 ip6 hoplimit 1 icmpv6 type mld-listener-query accept",
          },
  };
}

Profile MakeProfile(const FilterPolicy& policy, Slot slot) {
  Profile profile{.flows = {}, .sets = MakeNameSets(policy, slot)};
  if (policy.level != Level::kNoLateral && policy.level != Level::kEssential) return profile;
  std::map<ProfileFlow, std::vector<Network>> by_network;
  std::set<std::pair<size_t, ProfileFlow>> by_name;
  for (const FilterRule& rule : policy.allow) {
    const uint32_t mark = rule.program.has_value() ? ProgramTag(policy.programs.at(*rule.program)) : 0;
    const std::vector<PortRange> ports = JoinPorts(rule.ports);
    for (const bool peer_opens : {false, true}) {
      const FlowDirection other = peer_opens ? FlowDirection::kOut : FlowDirection::kIn;
      if (rule.direction == other) continue;
      const ProfileFlow flow{
          .mark = mark, .peer_opens = peer_opens, .protocol = rule.protocol, .ports = ports};
      std::vector<Network>& networks = by_network[flow];
      networks.insert(networks.end(), rule.networks.begin(), rule.networks.end());
      if (rule.name_set.has_value()) by_name.emplace(*rule.name_set, flow);
    }
  }
  NetworkSets sets(slot, &profile.sets);
  for (const auto& [flow, networks] : by_network) profile.flows.emplace_back(flow, sets.TextsOf(networks));
  for (const auto& [name_set, flow] : by_name) profile.flows.emplace_back(flow, NamesOf(name_set, slot));
  return profile;
}

Lines ProfilePermits(const Profile& profile, bool at_uplink) {
  Lines lines;
  for (const auto& [flow, peers] : profile.flows) {
    if (flow.mark == 0) {
      AddFlow(&lines, flow, peers);
    } else {
      AddProgramFlow(&lines, flow, peers, at_uplink);
    }
  }
  return lines;
}

Lines ResolverPermits(const std::vector<Endpoint>& resolvers, bool at_uplink) {
  const std::string mark = MarkText(kAgentSocketMark);
  Lines lines;
  for (const Endpoint& resolver : Sorted(resolvers)) {
    const bool v6 = resolver.address.is_v6();
    const std::string to =
        StrCat("meta mark ", mark, " ", AddressMatch(v6, true, resolver.address.to_string()));
    const std::string from = AddressMatch(v6, false, resolver.address.to_string());
    const std::string own = at_uplink ? "" : StrCat(" socket mark ", mark);
    lines.out.push_back(StrCat(to, " udp dport ", resolver.port, " accept"));
    lines.out.push_back(StrCat(to, " tcp dport ", resolver.port, " accept"));
    lines.in.push_back(
        StrCat(from, " udp sport ", resolver.port, at_uplink ? " udp dport 1024-65535" : "", own, " accept"));
    lines.in.push_back(StrCat(from, " tcp sport ", resolver.port, kNotOpening, own, " accept"));
  }
  return lines;
}

Lines DnsPermits(const DnsRedirect& dns, bool at_uplink) {
  const std::string mark = MarkText(kAgentSocketMark);
  Lines lines = ResolverPermits(dns.resolvers, at_uplink);
  for (const std::string_view protocol : {"udp", "tcp"}) {
    lines.out.push_back(at_uplink ? StrCat(protocol, " dport 53 counter drop")
                                  : StrCat("meta mark != ", mark, " ", protocol, " dport 53 accept"));
  }
  return lines;
}

std::vector<std::string> RedirectRules(const DnsRedirect& dns) {
  return {StrCat("meta mark ", MarkText(kAgentSocketMark), " accept"),
          StrCat("udp dport 53 redirect to :", dns.guard_port),
          StrCat("tcp dport 53 redirect to :", dns.guard_port)};
}

Lines ControllerPermits(const std::vector<Endpoint>& controllers, bool at_uplink) {
  const std::string mark = MarkText(kAgentSocketMark);
  Lines lines;
  for (const Endpoint& controller : Sorted(controllers)) {
    const bool v6 = controller.address.is_v6();
    const std::string address = controller.address.to_string();
    lines.out.push_back(StrCat("meta mark ", mark, " ", AddressMatch(v6, true, address), " tcp dport ",
                               controller.port, " accept"));
    lines.in.push_back(StrCat(AddressMatch(v6, false, address), " tcp sport ", controller.port,
                              at_uplink ? std::string(kNotOpening) : StrCat(" socket mark ", mark),
                              " accept"));
  }
  return lines;
}

Lines LateralDrops() {
  struct Match {
    FlowProtocol protocol;
    bool to_accepting_side;
    std::vector<PortRange> ports;
  };
  const std::vector<PortRange> tcp = JoinPorts({std::begin(kLateralTcp), std::end(kLateralTcp)});
  const std::vector<PortRange> udp = JoinPorts({std::begin(kLateralUdp), std::end(kLateralUdp)});
  std::vector<PortRange> tcp_replies;
  std::copy_if(tcp.begin(), tcp.end(), std::back_inserter(tcp_replies),
               [](const PortRange& range) { return range.last < kFirstEphemeralPort; });
  Lines lines;
  for (const Match& match :
       {Match{FlowProtocol::kTcp, true, tcp}, Match{FlowProtocol::kTcp, false, tcp_replies},
        Match{FlowProtocol::kUdp, true, udp}, Match{FlowProtocol::kUdp, false, udp}}) {
    for (const bool v6 : {false, true}) {
      const std::string set = AddressSetText(PrivateNetworks(), v6);
      const std::string ports =
          StrCat(" ", Name(match.protocol), match.to_accepting_side ? " dport " : " sport ",
                 PortSetText(match.ports), " counter drop");
      lines.out.push_back(AddressMatch(v6, true, set) + ports);
      lines.in.push_back(AddressMatch(v6, false, set) + ports);
    }
  }
  return lines;
}

}  // namespace cordon::platform
