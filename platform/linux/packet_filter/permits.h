#pragma once

// Lines of nftables rules, as `nft list` prints them. "Out" lines stand where packets leave the host, "in"
// lines where they arrive; each permit has a line for either way, because no rule asks for the state of a
// connection: inet and netdev hooks use the same lines, and a change of level needs no memory of earlier
// packets (ISO-1, ISO-2).

#include <string>
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

// The profile's rules: TCP replies never open a connection, UDP replies go to the ports where clients live; a
// rule for a program asks for the program's mark. `at_uplink`: for netdev hooks, where no socket is known on
// the way in. Rules by host name look into the name sets of `slot`.
Lines ProfilePermits(const FilterPolicy& policy, Slot slot, bool at_uplink);

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
