#include "common/base/address_bytes.h"

#include <algorithm>

namespace cordon {
namespace {

template <typename Address>
Address FromBytes(std::string_view bytes) {
  typename Address::bytes_type raw;
  std::ranges::copy(bytes, raw.begin());
  return Address(raw);
}

template <typename Address>
std::string ToBytes(const Address& address) {
  const auto raw = address.to_bytes();
  return {raw.begin(), raw.end()};
}

}  // namespace

std::string AddressBytes(const boost::asio::ip::address& address) {
  return address.is_v4() ? ToBytes(address.to_v4()) : ToBytes(address.to_v6());
}

std::optional<boost::asio::ip::address> AddressOfBytes(std::string_view bytes) {
  if (bytes.size() == 4) return FromBytes<boost::asio::ip::address_v4>(bytes);
  if (bytes.size() == 16) return FromBytes<boost::asio::ip::address_v6>(bytes);
  return std::nullopt;
}

}  // namespace cordon
