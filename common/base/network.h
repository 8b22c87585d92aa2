#pragma once

#include <absl/status/statusor.h>

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace cordon {

// An IPv4 or IPv6 network: a host has the longest prefix. The address has no bits below the prefix.
struct Network {
  boost::asio::ip::address address;
  int prefix_length = 0;

  bool IsV6() const { return address.is_v6(); }
  bool Contains(const boost::asio::ip::address& other) const;
  friend bool operator==(const Network&, const Network&) = default;
  friend bool operator<(const Network& a, const Network& b) {
    return std::tie(a.address, a.prefix_length) < std::tie(b.address, b.prefix_length);
  }
};

struct Endpoint {
  boost::asio::ip::address address;
  uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  friend bool operator<(const Endpoint& a, const Endpoint& b) {
    return std::tie(a.address, a.port) < std::tie(b.address, b.port);
  }
};

// "10.2.0.0/16", "2001:db8::/32", or an address alone. INVALID_ARGUMENT for anything else, host bits that are
// set below the prefix included: a typing error must not widen or narrow an allow-list silently.
absl::StatusOr<Network> ParseNetwork(std::string_view text);

std::string FormatNetwork(const Network& network);

// "192.0.2.7:443", "[2001:db8::7]:443".
std::string FormatEndpoint(const Endpoint& endpoint);

struct HostPort {
  std::string host;  // name or address, without brackets
  uint16_t port = 0;
};

// "name:443", "192.0.2.7:443", "[2001:db8::7]:443".
absl::StatusOr<HostPort> ParseHostPort(std::string_view text);

// The link's address book: "name address" per line. What is no address is left out.
std::vector<std::pair<std::string, boost::asio::ip::address>> ParseAddressBook(std::string_view text);

}  // namespace cordon
