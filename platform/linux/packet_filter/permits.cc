#include "platform/linux/packet_filter/permits.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "common/base/strings.h"
#include "platform/api/lateral.h"
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

// Packets of a flow towards the side that accepts it.
std::string Forward(const std::string& address, FlowProtocol protocol, const std::vector<PortRange>& ports) {
  if (ports.empty()) return StrCat(address, " meta l4proto ", Name(protocol), " accept");
  return StrCat(address, " ", Name(protocol), " dport ", PortSetText(ports), " accept");
}

// Packets of a flow from the side that accepted it.
std::string Reply(const std::string& address, FlowProtocol protocol, const std::vector<PortRange>& ports) {
  const std::string from = ports.empty() ? "" : StrCat(" ", Name(protocol), " sport ", PortSetText(ports));
  if (protocol == FlowProtocol::kTcp) return StrCat(address, from, kNotOpening, " accept");
  std::vector<PortRange> clients = ports;
  clients.push_back(kClientPorts);
  return StrCat(address, from, " udp dport ", PortSetText(JoinPorts(std::move(clients))), " accept");
}

void AddFlow(Lines* lines, bool host_opens, FlowProtocol protocol, const std::vector<Network>& networks,
             const std::vector<PortRange>& ports) {
  for (const bool v6 : {false, true}) {
    const std::string set = AddressSetText(networks, v6);
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

Lines ProfilePermits(const std::vector<FilterRule>& allow) {
  // Rules that differ only in their networks become one set: ten thousand addresses cost one look-up.
  std::map<std::tuple<bool, FlowProtocol, std::vector<PortRange>>, std::vector<Network>> flows;
  for (const FilterRule& rule : allow) {
    const std::vector<PortRange> ports = JoinPorts(rule.ports);
    for (const bool host_opens : {true, false}) {
      const FlowDirection other = host_opens ? FlowDirection::kIn : FlowDirection::kOut;
      if (rule.direction == other) continue;
      std::vector<Network>& networks = flows[{!host_opens, rule.protocol, ports}];
      networks.insert(networks.end(), rule.networks.begin(), rule.networks.end());
    }
  }
  Lines lines;
  for (const auto& [key, networks] : flows) {
    const auto& [peer_opens, protocol, ports] = key;
    AddFlow(&lines, !peer_opens, protocol, networks, ports);
  }
  return lines;
}

Lines ControllerPermits(const std::vector<Endpoint>& controllers, bool at_uplink) {
  std::vector<Endpoint> sorted = controllers;
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  const std::string mark = fmt::format("0x{:08x}", kAgentSocketMark);
  Lines lines;
  for (const Endpoint& controller : sorted) {
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
