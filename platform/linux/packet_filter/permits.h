#pragma once

// Lines of nftables rules, as `nft list` prints them. "Out" lines stand where packets leave the host, "in"
// lines where they arrive; each permit has a line for either way, because no rule asks for the state of a
// connection: inet and netdev hooks use the same lines, and a change of level needs no memory of earlier
// packets (ISO-1, ISO-2).

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "platform/api/packet_filter.h"
#include "platform/linux/packet_filter/ruleset.h"

namespace cordon::platform {

struct Lines {
  std::vector<std::string> out;
  std::vector<std::string> in;
};

// DHCP, neighbour discovery and the multicast reports it needs, for inet and netdev hooks.
Lines NetworkUpkeep();

// One kind of flow of the profile. Rules that differ only in their networks are one.
struct ProfileFlow {
  uint32_t mark = 0;  // of the program; 0 stands for every program
  bool peer_opens = false;
  FlowProtocol protocol = FlowProtocol::kTcp;
  std::vector<PortRange> ports{};
  friend auto operator<=>(const ProfileFlow&, const ProfileFlow&) = default;
};

// What follows `ip daddr` and `ip6 daddr` for the peers of a flow; empty where it has none.
struct PeerTexts {
  std::string v4;
  std::string v6;
};

// The profile in the order of its rules, gathered once for both tables and both ways.
struct Profile {
  std::vector<std::pair<ProfileFlow, PeerTexts>> flows;
  std::vector<AddressSet> sets;  // that the flows look into, in each table
};

// Empty at levels at which the profile does not count. Names have sets of `slot`, and so do lists of more
// than a few networks; equal lists share one.
Profile MakeProfile(const FilterPolicy& policy, Slot slot);

// The profile's rules: TCP replies never open a connection, UDP replies go to the ports where clients live; a
// rule for a program asks for the program's mark. `at_uplink`: for netdev hooks, where no socket is known on
// the way in.
Lines ProfilePermits(const Profile& profile, bool at_uplink);

// The agent's questions to DNS servers.
Lines ResolverPermits(const std::vector<Endpoint>& resolvers, bool at_uplink);

// The agent's questions to the host's resolvers; no other packet to port 53 leaves. At the inet hooks what
// programs ask passes, because the redirect comes after them.
Lines DnsPermits(const DnsRedirect& dns, bool at_uplink);

// For the NAT chain: what programs ask is turned to the guard.
std::vector<std::string> RedirectRules(const DnsRedirect& dns);

// The controllers, for the agent's sockets. `at_uplink`: for netdev hooks, where no socket is known on the
// way in.
Lines ControllerPermits(const std::vector<Endpoint>& controllers, bool at_uplink);

// Drops of the lateral-movement protocols. A flow is dropped both ways.
Lines LateralDrops();

}  // namespace cordon::platform
