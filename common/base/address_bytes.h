#pragma once

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace cordon {

// 4 or 16 bytes in network order, as addresses stand in messages.
std::string AddressBytes(const boost::asio::ip::address& address);

// Nothing for any other number of bytes.
std::optional<boost::asio::ip::address> AddressOfBytes(std::string_view bytes);

}  // namespace cordon
