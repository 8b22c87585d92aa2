#include "platform/linux/packet_filter/permits.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
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

// What follows `ip daddr` and `ip6 daddr` for the peers of a flow; empty where it has none.
struct PeerTexts {
  std::string v4;
  std::string v6;
};

PeerTexts PeersOf(const std::vector<Network>& networks) {
  return {AddressSetText(networks, false), AddressSetText(networks, true)};
}
PeerTexts PeersOf(size_t name_set, Slot slot) {
  return {"@" + NameSetName(name_set, false, slot), "@" + NameSetName(name_set, true, slot)};
}

// A flow of one program. What leaves carries its mark. What arrives is asked for its socket where that is
// known, at the inet hooks; the hooks of the uplink let pass what those then judge.
struct ProgramFlow {
  uint32_t mark = 0;
  bool host_opens = false;
  FlowProtocol protocol = FlowProtocol::kTcp;
  std::vector<PortRange> ports;
  bool at_uplink = false;
};

void AddProgramFlow(Lines* lines, const ProgramFlow& flow, const PeerTexts& peers) {
  const std::string socket = flow.at_uplink ? "" : StrCat(" socket mark ", MarkText(flow.mark));
  for (const bool v6 : {false, true}) {
    const std::string& set = v6 ? peers.v6 : peers.v4;
    if (set.empty()) continue;
    const std::string to = StrCat("meta mark ", MarkText(flow.mark), " ", AddressMatch(v6, true, set));
    const std::string from = AddressMatch(v6, false, set);
    if (flow.protocol == FlowProtocol::kIcmpEcho) {
      // The answer belongs to no socket.
      lines->out.push_back(StrCat(to, v6 ? " icmpv6" : " icmp", " type echo-request accept"));
      lines->in.push_back(StrCat(from, v6 ? " icmpv6" : " icmp", " type echo-reply accept"));
    } else if (flow.host_opens) {
      lines->out.push_back(Forward(to, flow.protocol, flow.ports));
      lines->in.push_back(Reply(from, flow.protocol, flow.ports, socket));
    } else {
      lines->in.push_back(Forward(from, flow.protocol, flow.ports, socket));
      lines->out.push_back(Reply(to, flow.protocol, flow.ports));
    }
    if (flow.protocol == FlowProtocol::kTcp && !flow.at_uplink) {
      lines->in.push_back(WithoutData(from, v6, flow.host_opens, flow.ports));
    }
  }
}

void AddFlow(Lines* lines, bool host_opens, FlowProtocol protocol, const PeerTexts& peers,
             const std::vector<PortRange>& ports) {
  for (const bool v6 : {false, true}) {
    const std::string& set = v6 ? peers.v6 : peers.v4;
    if (set.empty()) continue;
    const std::string to = AddressMatch(v6, true, set);
    const std::string from = AddressMatch(v6, false, set);
    if (protocol == FlowProtocol::kIcmpEcho) {
      const std::string request = StrCat(v6 ? " icmpv6" : " icmp", " type echo-request accept");
      const std::string reply = StrCat(v6 ? " icmpv6" : " icmp", " type echo-reply accept");
      lines->out.push_back(to + (host_opens ? request : reply));
      lines->in.push_back(from + (host_opens ? reply : request));
    } else if (host_opens) {
      lines->out.push_back(Forward(to, protocol, ports));
      lines->in.push_back(Reply(from, protocol, ports));
    } else {
      lines->in.push_back(Forward(from, protocol, ports));
      lines->out.push_back(Reply(to, protocol, ports));
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

Lines ProfilePermits(const FilterPolicy& policy, Slot slot, bool at_uplink) {
  // Rules that differ only in their networks become one set: ten thousand addresses cost one look-up.
  // The mark 0 stands for every program.
  using Flow = std::tuple<uint32_t, bool, FlowProtocol, std::vector<PortRange>>;
  std::map<Flow, std::vector<Network>> by_network;
  std::set<std::pair<size_t, Flow>> by_name;
  for (const FilterRule& rule : policy.allow) {
    const uint32_t mark = rule.program.has_value() ? ProgramTag(policy.programs.at(*rule.program)) : 0;
    const std::vector<PortRange> ports = JoinPorts(rule.ports);
    for (const bool host_opens : {true, false}) {
      const FlowDirection other = host_opens ? FlowDirection::kIn : FlowDirection::kOut;
      if (rule.direction == other) continue;
      const Flow flow{mark, !host_opens, rule.protocol, ports};
      std::vector<Network>& networks = by_network[flow];
      networks.insert(networks.end(), rule.networks.begin(), rule.networks.end());
      if (rule.name_set.has_value()) by_name.emplace(*rule.name_set, flow);
    }
  }
  Lines lines;
  const auto add = [&](const Flow& flow, const PeerTexts& peers) {
    const auto& [mark, peer_opens, protocol, ports] = flow;
    if (mark == 0) {
      AddFlow(&lines, !peer_opens, protocol, peers, ports);
    } else {
      AddProgramFlow(&lines, {mark, !peer_opens, protocol, ports, at_uplink}, peers);
    }
  };
  for (const auto& [flow, networks] : by_network) add(flow, PeersOf(networks));
  for (const auto& [name_set, flow] : by_name) add(flow, PeersOf(name_set, slot));
  return lines;
}

Lines DnsPermits(const DnsRedirect& dns, bool at_uplink) {
  const std::string mark = MarkText(kAgentSocketMark);
  Lines lines;
  for (const Endpoint& resolver : Sorted(dns.resolvers)) {
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
