#include "common/base/address_bytes.h"

#include <gtest/gtest.h>

#include <string>

namespace cordon {
namespace {

TEST(AddressBytes, AreInNetworkOrderAndComeBack) {
  const auto v4 = boost::asio::ip::make_address("10.2.0.9");
  EXPECT_EQ(AddressBytes(v4), std::string("\x0a\x02\x00\x09", 4));
  EXPECT_EQ(AddressOfBytes(AddressBytes(v4)), v4);
  const auto v6 = boost::asio::ip::make_address("2001:db8::7");
  EXPECT_EQ(AddressBytes(v6).size(), 16U);
  EXPECT_EQ(AddressOfBytes(AddressBytes(v6)), v6);
}

TEST(AddressBytes, OfAnyOtherNumberAreNoAddress) {
  for (const size_t size : {0, 3, 5, 15, 17}) EXPECT_FALSE(AddressOfBytes(std::string(size, 'x')));
}

}  // namespace
}  // namespace cordon
