#include "agent/isolation/evaluate.h"

#include <algorithm>
#include <iterator>

#include "platform/api/lateral.h"
#include "platform/api/program_marks.h"

namespace cordon::agent {
namespace {

using platform::Connection;
using platform::FlowDirection;
using platform::FlowProtocol;
using platform::Level;
using platform::PortRange;

template <typename Ranges>
bool Contains(const Ranges& ranges, uint16_t port) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [&](const PortRange& range) { return range.first <= port && port <= range.last; });
}

bool Contains(const std::vector<Network>& networks, const boost::asio::ip::address& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Network& network) { return network.Contains(address); });
}

bool IsController(const platform::FilterPolicy& policy, const Connection& flow) {
  return flow.agent_owned && flow.protocol == FlowProtocol::kTcp && flow.direction == FlowDirection::kOut &&
         std::find(policy.controllers.begin(), policy.controllers.end(), flow.remote) !=
             policy.controllers.end();
}

// Of whose program nothing is known is none of a rule's program.
bool IsOfProgram(const platform::FilterPolicy& policy, const platform::FilterRule& rule,
                 const Connection& flow) {
  if (!rule.program.has_value()) return true;
  return *rule.program < policy.programs.size() &&
         flow.program_tag == platform::ProgramTag(policy.programs[*rule.program]);
}

constexpr uint16_t kDnsPort = 53;

// The agent asks the host's resolvers; whatever else goes to port 53 reaches the guard on this host.
bool IsResolver(const platform::FilterPolicy& policy, const Connection& flow) {
  if (!flow.agent_owned || flow.direction != FlowDirection::kOut) return false;
  const std::vector<Endpoint>& resolvers = policy.dns.has_value() ? policy.dns->resolvers : policy.resolvers;
  return flow.protocol != FlowProtocol::kIcmpEcho &&
         std::ranges::find(resolvers, flow.remote) != resolvers.end();
}

bool GoesToTheGuard(const platform::FilterPolicy& policy, const Connection& flow) {
  return policy.dns.has_value() && flow.direction == FlowDirection::kOut && flow.remote.port == kDnsPort &&
         flow.protocol != FlowProtocol::kIcmpEcho;
}

bool IsPeer(const platform::FilterPolicy& policy, const platform::FilterRule& rule,
            const boost::asio::ip::address& address) {
  if (Contains(rule.networks, address)) return true;
  return rule.name_set.has_value() && *rule.name_set < policy.name_sets.size() &&
         std::ranges::binary_search(policy.name_sets[*rule.name_set].addresses, address);
}

bool Matches(const platform::FilterPolicy& policy, const platform::FilterRule& rule, const Connection& flow) {
  return rule.protocol == flow.protocol && IsOfProgram(policy, rule, flow) &&
         (rule.direction == FlowDirection::kBoth || rule.direction == flow.direction) &&
         IsPeer(policy, rule, flow.remote.address) &&
         (rule.ports.empty() || Contains(rule.ports, AcceptingPort(flow)));
}

// The DHCP client's own datagrams, as the base permits of docs/levels.md have them.
bool IsAddressConfiguration(const Connection& flow) {
  if (flow.protocol != FlowProtocol::kUdp) return false;
  const auto& peer = flow.remote.address;
  const bool out = flow.direction == FlowDirection::kOut;
  const auto ports = [&](uint16_t client, uint16_t server) {
    return flow.local.port == client && flow.remote.port == server;
  };
  if (peer.is_v4()) {
    return ports(68, 67) && (!out || peer.to_v4() == boost::asio::ip::address_v4::broadcast());
  }
  static const boost::asio::ip::address kAllDhcpServers = boost::asio::ip::make_address("ff02::1:2");
  return ports(546, 547) && (out ? peer == kAllDhcpServers : peer.to_v6().is_link_local());
}

bool IsLateral(const Connection& flow) {
  if (!Contains(platform::PrivateNetworks(), flow.remote.address)) return false;
  const uint16_t port = AcceptingPort(flow);
  if (flow.protocol == FlowProtocol::kTcp) return Contains(platform::kLateralTcp, port);
  return flow.protocol == FlowProtocol::kUdp && Contains(platform::kLateralUdp, port);
}

}  // namespace

FlowVerdict Judge(const platform::FilterPolicy& policy, const Connection& flow) {
  if (policy.level == Level::kObserve) return {true, VerdictReason::kObserve};
  if (StaysOnHost(flow)) return {true, VerdictReason::kStaysOnHost};
  if (policy.level != Level::kDark) {
    if (IsController(policy, flow)) return {true, VerdictReason::kController};
    if (IsAddressConfiguration(flow)) return {true, VerdictReason::kAddressConfiguration};
  }
  if (IsResolver(policy, flow)) return {true, VerdictReason::kController};
  if (GoesToTheGuard(policy, flow)) return {false, VerdictReason::kLevel};
  if (policy.level == Level::kNoLateral || policy.level == Level::kEssential) {
    const auto rule =
        std::find_if(policy.allow.begin(), policy.allow.end(),
                     [&](const platform::FilterRule& each) { return Matches(policy, each, flow); });
    if (rule != policy.allow.end()) {
      return {true, VerdictReason::kRule, static_cast<size_t>(rule - policy.allow.begin())};
    }
  }
  if (policy.level != Level::kNoLateral) return {false, VerdictReason::kLevel};
  if (IsLateral(flow)) return {false, VerdictReason::kLateral};
  return {true, VerdictReason::kNotLateral};
}

}  // namespace cordon::agent
