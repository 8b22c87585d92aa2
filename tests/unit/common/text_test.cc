#include "common/base/text.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>

#include "common/base/hex.h"
#include "common/base/network.h"
#include "common/base/uuid.h"

namespace cordon {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(ParseDuration, ReadsSumsInFallingUnits) {
  EXPECT_EQ(*ParseDuration("90s"), 90 * kSecond);
  EXPECT_EQ(*ParseDuration("1h30m"), 5400 * kSecond);
  EXPECT_EQ(*ParseDuration("7d"), 7 * 86400 * kSecond);
}

TEST(ParseDuration, RefusesWhatIsNoDuration) {
  for (const char* text :
       {"", "4", "h", "0s", "-1h", "1.5h", "30m1h", "1h1h", "99999999999d", "4 h", "4000d"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(FormatDuration, ShowsTwoUnits) {
  EXPECT_EQ(FormatDuration(5400 * kSecond), "1h30m");
  EXPECT_EQ(FormatDuration(90061 * kSecond), "1d1h");
  EXPECT_EQ(FormatDuration(kSecond / 4), "250ms");
  EXPECT_EQ(FormatDuration(-kSecond), "-1s");
  EXPECT_FALSE(FormatDuration(std::numeric_limits<int64_t>::min()).empty());
}

TEST(FormatTime, IsUtcWithMilliseconds) {
  EXPECT_EQ(FormatTime(1'700'000'000'123'456'789), "2023-11-14T22:13:20.123Z");
}

TEST(IsPlainText, RefusesControlCharactersAndBadUtf8) {
  EXPECT_TRUE(IsPlainText("Praxis f\xc3\xbcr Tiere", 100));
  EXPECT_FALSE(IsPlainText("a\nb", 100));
  EXPECT_FALSE(IsPlainText("\xc0\x80", 100));
  EXPECT_FALSE(IsPlainText("\xed\xa0\x80", 100));
  EXPECT_FALSE(IsPlainText("\xf0\x9f\x90", 100));
  EXPECT_FALSE(IsPlainText("four", 3));
}

TEST(Printable, ShowsBytesThatATerminalWouldObey) {
  EXPECT_EQ(Printable("a\x1b[31m\xff"), "a\\x1b[31m\\xff");
}

TEST(IntoUtf8, EscapesAsForACopyAndElseGivesTheSameStringBack) {
  for (const std::string& bytes :
       {std::string("/bad\xff\xfe"), std::string("/lit\\xff"), std::string("/ümlaut")}) {
    EXPECT_EQ(IntoUtf8(bytes), EscapeToUtf8(bytes));
  }
  std::string plain = "/usr/bin/a-program-with-a-long-name";
  const char* const place = plain.data();
  const std::string same = IntoUtf8(std::move(plain));
  EXPECT_EQ(same, "/usr/bin/a-program-with-a-long-name");
  EXPECT_EQ(same.data(), place) << "nothing was copied";
}

TEST(ParseNetwork, ReadsBothFamilies) {
  EXPECT_EQ(FormatNetwork(*ParseNetwork("10.2.0.0/16")), "10.2.0.0/16");
  EXPECT_EQ(FormatNetwork(*ParseNetwork("192.0.2.7")), "192.0.2.7/32");
  EXPECT_EQ(FormatNetwork(*ParseNetwork("2001:db8::/32")), "2001:db8::/32");
  EXPECT_EQ(FormatNetwork(*ParseNetwork("0.0.0.0/0")), "0.0.0.0/0");
}

TEST(ParseNetwork, RefusesWhatCouldWidenOrNarrowAList) {
  for (const char* text : {"10.2.0.1/16", "10.2.0.0/33", "10.2.0.0/", "10.2/16", "2001:db8::1/64",
                           "fe80::1%eth0", "::/129", "10.0.0.0/+8", "10.0.0.0/ 8", ""}) {
    EXPECT_FALSE(ParseNetwork(text).ok()) << text;
  }
}

TEST(Network, ContainsOnlyItsOwnFamily) {
  const Network network = *ParseNetwork("10.2.0.0/15");
  EXPECT_TRUE(network.Contains(boost::asio::ip::make_address("10.3.255.255")));
  EXPECT_FALSE(network.Contains(boost::asio::ip::make_address("10.4.0.0")));
  EXPECT_FALSE(network.Contains(boost::asio::ip::make_address("::ffff:10.3.0.1")));
}

TEST(ParseHostPort, ReadsNamesAndBothFamilies) {
  EXPECT_EQ(ParseHostPort("controller.example:8443")->port, 8443);
  EXPECT_EQ(ParseHostPort("[2001:db8::7]:443")->host, "2001:db8::7");
  for (const char* text : {"a", "a:0", "a:65536", ":1", "2001:db8::7:443", "a:+1", "a b:1", "a:1x"}) {
    EXPECT_FALSE(ParseHostPort(text).ok()) << text;
  }
}

TEST(Hex, GoesBothWays) {
  EXPECT_EQ(*HexDecode(HexEncode(std::string("\x00\xff\x10", 3))), std::string("\x00\xff\x10", 3));
  EXPECT_FALSE(HexDecode("abc").ok());
  EXPECT_FALSE(HexDecode("zz").ok());
}

TEST(Uuid, NewOnesAreUuidsAndDiffer) {
  EXPECT_TRUE(IsUuid(NewUuid()));
  EXPECT_NE(NewUuid(), NewUuid());
  EXPECT_FALSE(IsUuid("not-a-uuid"));
}

}  // namespace
}  // namespace cordon
