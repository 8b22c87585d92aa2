#pragma once

// The pure half of the packet sender: the bytes.

#include <array>
#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/network.h"
#include "platform/api/packet_filter.h"

namespace cordon::platform {

// A TCP header with SYN set and a right checksum over `source`, `to` and itself: 20 bytes. Both addresses are
// of one family.
std::string MakeSyn(const boost::asio::ip::address& source, uint16_t source_port, const Endpoint& to);

// What follows the IP header of a flow's first packet (a SYN, a datagram, an echo request), right but for the
// checksum, which is wrong: who receives it drops it unread. Both addresses are of one family.
std::string MakeDud(FlowProtocol protocol, const boost::asio::ip::address& source, uint16_t source_port,
                    const Endpoint& to);

// An Ethernet frame with an IPv4 UDP datagram of a few bytes; `to` is an IPv4 address.
std::string MakeUdpFrame(const boost::asio::ip::address_v4& source, const Endpoint& to);

// The internet checksum (RFC 1071) over `bytes`, big-endian words, as a number.
uint16_t InternetChecksum(const std::string& bytes);

}  // namespace cordon::platform
