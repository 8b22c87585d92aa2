#pragma once

// What the kernel's routing would do with packets of the agent's channel.

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/network.h"
#include "platform/linux/system/netlink.h"

namespace cordon::platform {

struct RouteAnswer {
  std::string obstruction;       // a sentence; empty: there is a way
  uint32_t interface_index = 0;  // of that way
};

// Asks `route` (rtnetlink) for the way to `controller` of a socket with `mark`.
RouteAnswer AskRoute(NetlinkSocket& route, const Endpoint& controller, uint32_t mark);

// Rules of policy routing that refuse packets, as sentences.
std::vector<std::string> RefusingRules(NetlinkSocket& route);

// The pure part: what the kernel's error for a route means.
std::string RouteObstruction(int error, const Endpoint& controller);

}  // namespace cordon::platform
