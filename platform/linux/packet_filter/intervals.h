#pragma once

// Sets of addresses and ports in the form in which nftables takes and lists them: sorted, without overlaps.

#include <string>
#include <vector>

#include "common/base/network.h"
#include "platform/api/packet_filter.h"

namespace cordon::platform {

// The IPv4 or the IPv6 networks among `networks` as what follows `ip daddr`: "10.2.0.0/16", or
// "{ 10.2.0.0/16, 192.0.2.1-192.0.2.3 }"; empty when there are none.
std::string AddressSetText(const std::vector<Network>& networks, bool v6);

// Sorted, with overlapping and touching ranges joined.
std::vector<PortRange> JoinPorts(std::vector<PortRange> ports);

// "443" or "{ 53, 8000-8010 }" of joined ranges; empty for none.
std::string PortSetText(const std::vector<PortRange>& ports);

}  // namespace cordon::platform
