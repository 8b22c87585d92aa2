#include "platform/linux/flows/udp_payload.h"

#include <gtest/gtest.h>

#include <string>

namespace cordon::platform {
namespace {

std::string Udp(const std::string& payload) {
  const size_t size = payload.size() + 8;
  return std::string("\0\x35\x9c\x40", 4) + static_cast<char>(size >> 8) + static_cast<char>(size & 0xFF) +
         std::string(2, '\0') + payload;
}

std::string V4(const std::string& behind, int words = 5, char protocol = 17) {
  std::string head(static_cast<size_t>(words) * 4, '\0');
  head[0] = static_cast<char>(0x40 + words);
  head[9] = protocol;
  return head + behind;
}

std::string V6(const std::string& behind, char protocol = 17) {
  std::string head(40, '\0');
  head[0] = 0x60;
  head[6] = protocol;
  return head + behind;
}

TEST(UdpPayload, IsFoundBehindEitherHeader) {
  EXPECT_EQ(UdpPayload(V4(Udp("dns"))), "dns");
  EXPECT_EQ(UdpPayload(V4(Udp("dns"), 8)), "dns") << "with options";
  EXPECT_EQ(UdpPayload(V6(Udp("dns"))), "dns");
  EXPECT_EQ(UdpPayload(V4(Udp("dns") + "padding")), "dns") << "a short frame is padded";
  EXPECT_EQ(UdpPayload(V4(Udp(""))), "");
}

TEST(UdpPayload, NothingElseIsTaken) {
  EXPECT_FALSE(UdpPayload(""));
  EXPECT_FALSE(UdpPayload(V4(Udp("dns"), 5, 6))) << "TCP";
  EXPECT_FALSE(UdpPayload(V6(Udp("dns"), 44))) << "a fragment";
  EXPECT_FALSE(UdpPayload(V4(Udp("dns"), 4))) << "a head that is too short";
  std::string fragment = V4(Udp("dns"));
  fragment[6] = 0x20;
  EXPECT_FALSE(UdpPayload(fragment));
  std::string length = V4(Udp("dns"));
  length[25] = 7;
  EXPECT_FALSE(UdpPayload(length)) << "shorter than its own head";
  length[25] = 12;
  EXPECT_FALSE(UdpPayload(length)) << "longer than there is";
  for (const std::string& whole : {V4(Udp("dns")), V6(Udp("dns"))}) {
    for (size_t cut = 0; cut < whole.size(); ++cut) EXPECT_FALSE(UdpPayload(whole.substr(0, cut))) << cut;
  }
}

}  // namespace
}  // namespace cordon::platform
