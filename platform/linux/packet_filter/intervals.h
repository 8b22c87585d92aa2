#pragma once

// Sets of addresses and ports in the form in which nftables takes and lists them: sorted, without overlaps.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/network.h"
#include "platform/api/packet_filter.h"

namespace cordon::platform {

// An address as a number, most significant byte first; IPv4 in the last four bytes.
using AddressBytes = std::array<uint8_t, 16>;
AddressBytes BytesOf(const boost::asio::ip::address& address);

// The next higher address of its family, the next lower one; false, and nothing useful in `bytes`, at the
// end.
bool Increment(AddressBytes* bytes, bool v6);
bool Decrement(AddressBytes* bytes, bool v6);
AddressBytes HighestAddress(bool v6);

// Neighbouring addresses of one family, both ends included.
struct Interval {
  AddressBytes first{};
  AddressBytes last{};
  bool IsOneAddress() const { return first == last; }
  friend auto operator<=>(const Interval&, const Interval&) = default;
};

// The IPv4 or the IPv6 networks among `networks`, sorted and without repeats. Overlapping and touching ones
// are joined, unless all are single addresses: those are looked up by hash.
std::vector<Interval> IntervalsOf(const std::vector<Network>& networks, bool v6);

// "10.0.0.7", "10.0.0.0/8" when the interval is a network, else "10.0.0.1-10.0.0.5"; and back, nothing for
// text of another form.
std::string IntervalText(const Interval& interval, bool v6);
std::optional<Interval> ParseInterval(std::string_view text, bool v6);

// The IPv4 or the IPv6 networks among `networks` as what follows `ip daddr`: "10.2.0.0/16", or
// "{ 10.2.0.0/16, 192.0.2.1-192.0.2.3 }"; empty when there are none.
std::string AddressSetText(const std::vector<Network>& networks, bool v6);

// Sorted, with overlapping and touching ranges joined.
std::vector<PortRange> JoinPorts(std::vector<PortRange> ports);

// "443" or "{ 53, 8000-8010 }" of joined ranges; empty for none.
std::string PortSetText(const std::vector<PortRange>& ports);

}  // namespace cordon::platform
