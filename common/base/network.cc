#include "common/base/network.h"

#include <charconv>
#include <optional>
#include <span>
#include <sstream>

#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon {
namespace {

bool PrefixEquals(std::span<const unsigned char> a, std::span<const unsigned char> b, int prefix_length) {
  for (size_t i = 0; i < a.size() && prefix_length > 0; ++i, prefix_length -= 8) {
    const unsigned mask = prefix_length >= 8 ? 0xffU : (0xff00U >> prefix_length) & 0xffU;
    if ((a[i] & mask) != (b[i] & mask)) return false;
  }
  return true;
}

// True when all bits from prefix_length on are zero.
bool HostBitsClear(std::span<const unsigned char> bytes, int prefix_length) {
  for (size_t i = 0; i < bytes.size(); ++i, prefix_length -= 8) {
    const unsigned host_mask = prefix_length >= 8 ? 0U : prefix_length <= 0 ? 0xffU : 0xffU >> prefix_length;
    if ((bytes[i] & host_mask) != 0) return false;
  }
  return true;
}

// A number of digits alone; nothing for a sign, a blank or an overflow.
std::optional<uint32_t> ParseDigits(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

bool Network::Contains(const boost::asio::ip::address& other) const {
  if (other.is_v6() != address.is_v6()) return false;
  if (address.is_v6()) {
    return PrefixEquals(address.to_v6().to_bytes(), other.to_v6().to_bytes(), prefix_length);
  }
  return PrefixEquals(address.to_v4().to_bytes(), other.to_v4().to_bytes(), prefix_length);
}

absl::StatusOr<Network> ParseNetwork(std::string_view text) {
  const auto fail = [&](std::string_view why) {
    return absl::InvalidArgumentError(
        StrCat("'", Printable(text), "' is not a network like 10.2.0.0/16: ", why));
  };
  if (text.size() > 64) return absl::InvalidArgumentError("a network is longer than 64 characters");
  const size_t slash = text.find('/');
  boost::system::error_code error;
  Network network;
  network.address = boost::asio::ip::make_address(std::string(text.substr(0, slash)), error);
  if (error) return fail("bad address");
  if (network.address.is_v6() && network.address.to_v6().scope_id() != 0)
    return fail("a zone is not allowed");
  const int longest = network.address.is_v6() ? 128 : 32;
  network.prefix_length = longest;
  if (slash != std::string_view::npos) {
    const std::string_view prefix = text.substr(slash + 1);
    const std::optional<uint32_t> bits = ParseDigits(prefix);
    if (!bits || *bits > static_cast<uint32_t>(longest)) return fail("bad prefix length");
    network.prefix_length = static_cast<int>(*bits);
  }
  const bool clear = network.address.is_v6()
                         ? HostBitsClear(network.address.to_v6().to_bytes(), network.prefix_length)
                         : HostBitsClear(network.address.to_v4().to_bytes(), network.prefix_length);
  if (!clear) return fail("bits are set below the prefix");
  return network;
}

std::string FormatNetwork(const Network& network) {
  return StrCat(network.address.to_string(), "/", network.prefix_length);
}

std::string FormatEndpoint(const Endpoint& endpoint) {
  const std::string address = endpoint.address.to_string();
  return endpoint.address.is_v6() ? StrCat("[", address, "]:", endpoint.port)
                                  : StrCat(address, ":", endpoint.port);
}

absl::StatusOr<HostPort> ParseHostPort(std::string_view text) {
  const auto fail = [&] {
    return absl::InvalidArgumentError(StrCat("'", Printable(text), "' is not HOST:PORT"));
  };
  if (text.size() > 300) return absl::InvalidArgumentError("HOST:PORT is longer than 300 characters");
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail();
  std::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return fail();
  }
  const std::optional<uint32_t> port = ParseDigits(text.substr(colon + 1));
  if (host.empty() || !port || *port == 0 || *port > 65535 ||
      host.find_first_of("[]/ ") != std::string_view::npos) {
    return fail();
  }
  return HostPort{std::string(host), static_cast<uint16_t>(*port)};
}

std::vector<std::pair<std::string, boost::asio::ip::address>> ParseAddressBook(std::string_view text) {
  std::vector<std::pair<std::string, boost::asio::ip::address>> entries;
  std::istringstream words{std::string(text)};
  for (std::string name, address; words >> name >> address;) {
    boost::system::error_code error;
    const auto parsed = boost::asio::ip::make_address(address, error);
    if (!error) entries.emplace_back(name, parsed);
  }
  return entries;
}

}  // namespace cordon
