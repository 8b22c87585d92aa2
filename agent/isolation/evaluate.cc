#include "agent/isolation/evaluate.h"

#include <algorithm>
#include <iterator>

#include "platform/api/lateral.h"

namespace cordon::agent {
namespace {

using platform::Connection;
using platform::FlowDirection;
using platform::FlowProtocol;
using platform::Level;
using platform::PortRange;

uint16_t AcceptingPort(const Connection& flow) {
  return flow.direction == FlowDirection::kIn ? flow.local.port : flow.remote.port;
}

template <typename Ranges>
bool Contains(const Ranges& ranges, uint16_t port) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [&](const PortRange& range) { return range.first <= port && port <= range.last; });
}

bool Contains(const std::vector<Network>& networks, const boost::asio::ip::address& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Network& network) { return network.Contains(address); });
}

bool StaysOnHost(const Connection& flow) {
  return flow.remote.address.is_loopback() || flow.remote.address == flow.local.address;
}

bool IsController(const platform::FilterPolicy& policy, const Connection& flow) {
  return flow.agent_owned && flow.protocol == FlowProtocol::kTcp && flow.direction == FlowDirection::kOut &&
         std::find(policy.controllers.begin(), policy.controllers.end(), flow.remote) !=
             policy.controllers.end();
}

bool Matches(const platform::FilterRule& rule, const Connection& flow) {
  return rule.protocol == flow.protocol &&
         (rule.direction == FlowDirection::kBoth || rule.direction == flow.direction) &&
         Contains(rule.networks, flow.remote.address) &&
         (rule.ports.empty() || Contains(rule.ports, AcceptingPort(flow)));
}

bool IsLateral(const Connection& flow) {
  if (!Contains(platform::PrivateNetworks(), flow.remote.address)) return false;
  const uint16_t port = AcceptingPort(flow);
  if (flow.protocol == FlowProtocol::kTcp) return Contains(platform::kLateralTcp, port);
  return flow.protocol == FlowProtocol::kUdp && Contains(platform::kLateralUdp, port);
}

}  // namespace

bool Allows(const platform::FilterPolicy& policy, const Connection& flow) {
  if (policy.level == Level::kObserve || StaysOnHost(flow)) return true;
  if (policy.level != Level::kDark && IsController(policy, flow)) return true;
  if (policy.level == Level::kNoLateral || policy.level == Level::kEssential) {
    const auto matches = [&](const platform::FilterRule& rule) { return Matches(rule, flow); };
    if (std::any_of(policy.allow.begin(), policy.allow.end(), matches)) return true;
  }
  return policy.level == Level::kNoLateral && !IsLateral(flow);
}

}  // namespace cordon::agent
