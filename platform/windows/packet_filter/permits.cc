#include "platform/windows/packet_filter/permits.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/strings.h"
#include "platform/api/lateral.h"

namespace cordon::platform::wfp {
namespace {

constexpr std::initializer_list<Stage> kHostStages = {Stage::kConnect, Stage::kAccept, Stage::kOutTransport,
                                                      Stage::kInTransport};
constexpr std::initializer_list<Stage> kTransport = {Stage::kOutTransport, Stage::kInTransport};
constexpr PortRange kDnsPort = {.first = 53, .last = 53};

Condition Protocol(uint32_t number) {
  return {Field::kProtocol, number};
}
Condition Ports(Field field, PortRange range) {
  return {field, range};
}
Condition OnePort(Field field, uint16_t port) {
  return {field, PortRange{.first = port, .last = port}};
}
Condition Remote(const Network& network) {
  return {Field::kRemoteAddress, network};
}
Condition Remote(std::string_view network) {
  return Remote(ParseNetwork(network).value());
}

Network HostNetwork(const boost::asio::ip::address& address) {
  return {.address = address, .prefix_length = address.is_v6() ? 128 : 32};
}

void Add(std::vector<Filter>* filters, std::string_view name, Layer layer, Action action, uint64_t weight,
         std::vector<Condition> conditions) {
  filters->push_back({.name = std::string(name),
                      .layer = layer,
                      .lifetime = Lifetime::kPersistent,
                      .action = action,
                      .weight = weight,
                      .conditions = std::move(conditions)});
}

std::vector<Condition> Join(std::vector<Condition> left, const std::vector<Condition>& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

// The agent's own sockets: its executable, run as its service.
std::vector<Condition> OfAgent(const Identities& who) {
  return {{Field::kProgram, who.agent_program}, {Field::kService, who.agent_service}};
}

// One destination for the agent's sockets, and the packets of such flows.
void AddAgentFlow(std::string_view name, const Endpoint& peer, uint32_t protocol, Action action,
                  uint64_t weight, const Identities& who, std::vector<Filter>* filters) {
  const bool v6 = peer.address.is_v6();
  const std::vector<Condition> to = {Protocol(protocol), Remote(HostNetwork(peer.address)),
                                     OnePort(Field::kRemotePort, peer.port)};
  Add(filters, name, {Stage::kConnect, v6}, action, weight, Join(to, OfAgent(who)));
  for (const Stage stage : kTransport) Add(filters, name, {stage, v6}, action, weight, to);
}

std::vector<Condition> AddressesOf(const std::vector<Network>& networks, bool v6, Field field) {
  std::vector<Condition> conditions;
  for (const Network& network : networks)
    if (network.IsV6() == v6) conditions.push_back({field, network});
  return conditions;
}

std::vector<Network> PeersOf(const FilterPolicy& policy, const FilterRule& rule) {
  std::vector<Network> peers = rule.networks;
  if (rule.name_set.has_value() && *rule.name_set < policy.name_sets.size()) {
    for (const auto& address : policy.name_sets[*rule.name_set].addresses)
      peers.push_back(HostNetwork(address));
  }
  return peers;
}

struct IcmpTypes {
  uint16_t request;
  uint16_t reply;
};

IcmpTypes EchoTypes(bool v6) {
  return v6 ? IcmpTypes{128, 129} : IcmpTypes{8, 0};
}

// One direction of a profile's rule for one address family.
struct ProfileFlow {
  bool v6;
  bool peer_opens;
  std::vector<Condition> peers;
  std::vector<Condition> program;  // empty: every program
};

void AddEcho(const ProfileFlow& flow, std::vector<Filter>* filters) {
  const IcmpTypes types = EchoTypes(flow.v6);
  const auto add = [&](Stage stage, uint16_t type, bool at_ale) {
    std::vector<Condition> conditions =
        Join({Protocol(flow.v6 ? kIcmpV6 : kIcmp), OnePort(Field::kLocalPort, type)}, flow.peers);
    if (at_ale) conditions = Join(std::move(conditions), flow.program);
    Add(filters, "profile: echo", {stage, flow.v6}, Action::kPermit, kWeightProfile, std::move(conditions));
  };
  add(flow.peer_opens ? Stage::kAccept : Stage::kConnect, types.request, true);
  add(Stage::kOutTransport, flow.peer_opens ? types.reply : types.request, false);
  add(Stage::kInTransport, flow.peer_opens ? types.request : types.reply, false);
}

void AddPorts(const ProfileFlow& flow, const FilterRule& rule, std::vector<Filter>* filters) {
  const Field accepting = flow.peer_opens ? Field::kLocalPort : Field::kRemotePort;
  std::vector<Condition> conditions =
      Join({Protocol(rule.protocol == FlowProtocol::kTcp ? kTcp : kUdp)}, flow.peers);
  for (const PortRange& range : rule.ports) conditions.push_back(Ports(accepting, range));
  for (const Stage stage : kTransport)
    Add(filters, "profile: packets", {stage, flow.v6}, Action::kPermit, kWeightProfile, conditions);
  Add(filters, "profile: flows", {flow.peer_opens ? Stage::kAccept : Stage::kConnect, flow.v6},
      Action::kPermit, kWeightProfile, Join(std::move(conditions), flow.program));
}

void AddRule(const FilterPolicy& policy, const FilterRule& rule, const std::vector<Condition>& program,
             std::vector<Filter>* filters) {
  const std::vector<Network> peers = PeersOf(policy, rule);
  for (const bool v6 : {false, true}) {
    ProfileFlow flow{.v6 = v6,
                     .peer_opens = false,
                     .peers = AddressesOf(peers, v6, Field::kRemoteAddress),
                     .program = program};
    if (flow.peers.empty()) continue;  // no condition would be every address
    for (const FlowDirection direction : {FlowDirection::kOut, FlowDirection::kIn}) {
      if (rule.direction != FlowDirection::kBoth && rule.direction != direction) continue;
      flow.peer_opens = direction == FlowDirection::kIn;
      if (rule.protocol == FlowProtocol::kIcmpEcho) {
        AddEcho(flow, filters);
      } else {
        AddPorts(flow, rule, filters);
      }
    }
  }
}

void AddUpkeepPacket(std::string_view name, bool out, bool v6, const std::vector<Condition>& conditions,
                     std::vector<Filter>* filters) {
  for (const Stage stage :
       {out ? Stage::kConnect : Stage::kAccept, out ? Stage::kOutTransport : Stage::kInTransport})
    Add(filters, name, {stage, v6}, Action::kPermit, kWeightUpkeep, conditions);
}

std::vector<Condition> DhcpPorts(uint16_t local, uint16_t remote) {
  return {Protocol(kUdp), OnePort(Field::kLocalPort, local), OnePort(Field::kRemotePort, remote)};
}

void AddNeighbourDiscovery(std::vector<Filter>* filters) {
  struct Message {
    uint16_t type;
    bool out;
    std::string_view peer;  // empty: every address
  };
  // As docs/levels.md. WFP cannot ask for the hop limit; the receiving stack does, by RFC 4861.
  constexpr Message kMessages[] = {
      {133, true, "ff02::2/128"},
      {134, false, "fe80::/10"},
      {135, true, ""},
      {135, false, ""},
      {136, true, ""},
      {136, false, ""},
      {143, true, "ff02::16/128"},
      {131, true, "ff02::/16"},
      {132, true, "ff02::/16"},
      {130, false, "fe80::/10"},
  };
  for (const Message& message : kMessages) {
    std::vector<Condition> conditions = {Protocol(kIcmpV6), OnePort(Field::kLocalPort, message.type)};
    if (!message.peer.empty()) conditions.push_back(Remote(message.peer));
    AddUpkeepPacket("neighbour discovery", message.out, true, conditions, filters);
  }
}

// The port ranges that a reply of the accepting side can come from without being taken for a client's port.
std::vector<Condition> LateralPorts(FlowProtocol protocol, Field field, bool replies) {
  std::vector<Condition> conditions;
  const auto add = [&](const PortRange& range) {
    if (!replies || protocol == FlowProtocol::kUdp || range.last < kFirstEphemeralPort)
      conditions.push_back(Ports(field, range));
  };
  if (protocol == FlowProtocol::kTcp) {
    std::ranges::for_each(kLateralTcp, add);
  } else {
    std::ranges::for_each(kLateralUdp, add);
  }
  return conditions;
}

void AddLateralPackets(FlowProtocol protocol, bool v6, std::vector<Filter>* filters) {
  const std::vector<Condition> peers = Join({Protocol(protocol == FlowProtocol::kTcp ? kTcp : kUdp)},
                                            AddressesOf(PrivateNetworks(), v6, Field::kRemoteAddress));
  const auto add = [&](Stage stage, Field field, bool replies) {
    Add(filters, "lateral movement", {stage, v6}, Action::kBlock, kWeightLateral,
        Join(peers, LateralPorts(protocol, field, replies)));
  };
  add(Stage::kConnect, Field::kRemotePort, false);
  add(Stage::kAccept, Field::kLocalPort, false);
  // The port of the accepting side is where a packet goes to, or where a reply comes from.
  add(Stage::kOutTransport, Field::kRemotePort, false);
  add(Stage::kOutTransport, Field::kLocalPort, true);
  add(Stage::kInTransport, Field::kLocalPort, false);
  add(Stage::kInTransport, Field::kRemotePort, true);
}

}  // namespace

void AddChannel(const FilterPolicy& policy, const Identities& who, std::vector<Filter>* filters) {
  for (const Endpoint& controller : policy.controllers)
    AddAgentFlow("the agent's channel", controller, kTcp, Action::kHardPermit, kWeightChannel, who, filters);
}

void AddResolvers(const std::vector<Endpoint>& resolvers, const Identities& who,
                  std::vector<Filter>* filters) {
  for (const Endpoint& resolver : resolvers)
    for (const uint32_t protocol : {kUdp, kTcp})
      AddAgentFlow("the agent asks a resolver", resolver, protocol, Action::kPermit, kWeightResolvers, who,
                   filters);
}

void AddDns(const DnsRedirect& dns, const Identities& who, std::vector<Filter>* filters) {
  AddResolvers(dns.resolvers, who, filters);
  for (const bool v6 : {false, true})
    for (const uint32_t protocol : {kUdp, kTcp})
      for (const Stage stage : {Stage::kConnect, Stage::kOutTransport})
        Add(filters, "no other way to port 53", {stage, v6}, Action::kBlock, kWeightDnsShut,
            {Protocol(protocol), Ports(Field::kRemotePort, kDnsPort)});
}

void AddLoopback(std::vector<Filter>* filters) {
  for (const bool v6 : {false, true})
    for (const Stage stage : kHostStages)
      Add(filters, "loopback", {stage, v6}, Action::kPermit, kWeightLoopback,
          {{Field::kFlags, kFlagLoopback}});
}

void AddUpkeep(std::vector<Filter>* filters) {
  AddUpkeepPacket("DHCP", true, false, Join(DhcpPorts(68, 67), {Remote("255.255.255.255/32")}), filters);
  AddUpkeepPacket("DHCP", false, false, DhcpPorts(68, 67), filters);
  AddUpkeepPacket("DHCPv6", true, true, Join(DhcpPorts(546, 547), {Remote("ff02::1:2/128")}), filters);
  AddUpkeepPacket("DHCPv6", false, true, Join(DhcpPorts(546, 547), {Remote("fe80::/10")}), filters);
  AddNeighbourDiscovery(filters);
}

void AddProfile(const FilterPolicy& policy, const Identities& who, std::vector<Filter>* filters) {
  for (const FilterRule& rule : policy.allow) {
    std::vector<Condition> program;
    if (rule.program.has_value()) {
      // Without its program there is nobody to open anything for.
      if (*rule.program >= who.programs.size() || who.programs[*rule.program].empty()) continue;
      program.push_back({Field::kProgram, who.programs[*rule.program]});
    }
    AddRule(policy, rule, program, filters);
  }
}

void AddLateralBlocks(std::vector<Filter>* filters) {
  for (const bool v6 : {false, true}) {
    AddLateralPackets(FlowProtocol::kTcp, v6, filters);
    AddLateralPackets(FlowProtocol::kUdp, v6, filters);
    // Forwarded packets show no ports. Between two private networks all of them are taken for lateral.
    Add(filters, "lateral movement through this host", {Stage::kForward, v6}, Action::kBlock, kWeightLateral,
        Join(AddressesOf(PrivateNetworks(), v6, Field::kSourceAddress),
             AddressesOf(PrivateNetworks(), v6, Field::kDestinationAddress)));
  }
}

void AddBlockOfTheRest(std::vector<Filter>* filters) {
  for (const bool v6 : {false, true})
    for (const Stage stage : kStages) Add(filters, "the rest", {stage, v6}, Action::kBlock, kWeightRest, {});
}

}  // namespace cordon::platform::wfp
