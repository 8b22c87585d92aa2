#include "agent/names/opened_table.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/clock.h"
#include "common/base/strings.h"

namespace cordon::agent {
namespace {

using Address = OpenedTable::Address;

Address At(const std::string& text) {
  return boost::asio::ip::make_address(text);
}

int64_t Seconds(int64_t seconds) {
  return seconds * kNanosPerSecond;
}

NameList List(const std::vector<std::string>& names) {
  v1::Profile profile;
  for (const std::string& name : names) profile.add_allow()->add_names(name);
  return NameList(profile);
}

TEST(OpenedTableTest, OpensForTheNamesSets) {
  OpenedTable table;
  const NameList list = List({"a.example", "b.example"});
  EXPECT_TRUE(*table.Open("b.example", {At("192.0.2.2"), At("2001:db8::1"), At("192.0.2.1")}, 60, 0));
  EXPECT_FALSE(*table.Open("b.example", {At("192.0.2.2")}, 60, 0)) << "known";
  const auto sets = table.Sets(list);
  ASSERT_EQ(sets.size(), 2U);
  EXPECT_TRUE(sets[0].addresses.empty());
  EXPECT_EQ(sets[1].addresses, (std::vector<Address>{At("192.0.2.1"), At("192.0.2.2"), At("2001:db8::1")}));
}

TEST(OpenedTableTest, HasAFloorAGraceAndACeiling) {
  const auto open_for = [](uint32_t ttl) {
    OpenedTable table;
    EXPECT_TRUE(table.Open("a.example", {At("192.0.2.1")}, ttl, 0).ok());
    int64_t second = 0;
    while (!table.Close({}, Seconds(second))) ++second;
    return second;
  };
  EXPECT_EQ(open_for(0), OpenedTable::kFloorSeconds + OpenedTable::kGraceSeconds);
  EXPECT_EQ(open_for(300), 300 + OpenedTable::kGraceSeconds);
  EXPECT_EQ(open_for(4'000'000), OpenedTable::kCeilingSeconds + OpenedTable::kGraceSeconds);
}

TEST(OpenedTableTest, ALiveFlowKeepsItsAddress) {
  OpenedTable table;
  ASSERT_TRUE(table.Open("a.example", {At("192.0.2.1"), At("192.0.2.2")}, 60, 0).ok());
  EXPECT_FALSE(table.AnythingDue(Seconds(179)));
  EXPECT_TRUE(table.AnythingDue(Seconds(180)));
  EXPECT_TRUE(table.Close({At("192.0.2.1")}, Seconds(180)));
  EXPECT_EQ(table.AddressesOf("a.example"), (std::vector<Address>{At("192.0.2.1")}));
  EXPECT_FALSE(table.AnythingDue(Seconds(181)));
  EXPECT_TRUE(table.Close({}, Seconds(300))) << "the flow has ended";
  EXPECT_EQ(table.Size(), 0U);
}

TEST(OpenedTableTest, IsBoundedPerNameAndInAll) {
  OpenedTable table;
  const auto many = [](unsigned from, unsigned count) {
    std::vector<Address> addresses;
    for (unsigned at = from; at < from + count; ++at)
      addresses.push_back(boost::asio::ip::address_v4(0x0a000000U + at));
    return addresses;
  };
  ASSERT_TRUE(table.Open("a.example", many(0, OpenedTable::kMaxPerName), 60, 0).ok());
  ASSERT_TRUE(table.Open("a.example", many(1'000, 10), 600, 0).ok());
  const auto open = table.AddressesOf("a.example");
  EXPECT_EQ(open.size(), OpenedTable::kMaxPerName);
  EXPECT_EQ(open.back(), many(1'009, 1).front()) << "the newest is in";
  const unsigned names = OpenedTable::kMaxInAll / OpenedTable::kMaxPerName;
  for (unsigned name = 1; name < names; ++name)
    ASSERT_TRUE(table.Open(StrCat("n", name, ".example"), many(0, OpenedTable::kMaxPerName), 60, 0).ok());
  EXPECT_EQ(table.Size(), OpenedTable::kMaxInAll);
  EXPECT_TRUE(absl::IsResourceExhausted(table.Open("one-more.example", many(0, 1), 60, 0).status()));
  EXPECT_TRUE(table.Open("a.example", many(2'000, 1), 60, 0).ok()) << "one goes, one comes";
}

TEST(OpenedTableTest, ForgetsNamesThatAreNotListedAnyMore) {
  OpenedTable table;
  ASSERT_TRUE(table.Open("a.example", {At("192.0.2.1")}, 60, 0).ok());
  ASSERT_TRUE(table.Open("b.example", {At("192.0.2.2")}, 60, 0).ok());
  table.Retain(List({"b.example"}));
  ASSERT_EQ(table.Entries().size(), 1U);
  EXPECT_EQ(table.Entries()[0].pattern, "b.example");
  EXPECT_EQ(table.Size(), 1U);
}

TEST(OpenedTableTest, WithoutResolversWhatIsOpenStaysOpen) {
  OpenedTable table;
  ASSERT_TRUE(table.Open("a.example", {At("192.0.2.1")}, 60, 0).ok());
  table.Extend("a.example", OpenedTable::Kind::kV4, 300, Seconds(179));
  EXPECT_FALSE(table.AnythingDue(Seconds(478)));
  EXPECT_TRUE(table.AnythingDue(Seconds(479)));
}

// Resolvers that answer A and never AAAA must not keep IPv4 addresses open that the name has left.
TEST(OpenedTableTest, OnlyTheKindThatNobodyAnsweredForStaysOpen) {
  OpenedTable table;
  ASSERT_TRUE(table.Open("a.example", {At("192.0.2.1"), At("2001:db8::1")}, 60, 0).ok());
  table.Extend("a.example", OpenedTable::Kind::kV6, 300, Seconds(179));
  EXPECT_TRUE(table.Close({}, Seconds(180)));
  EXPECT_EQ(table.AddressesOf("a.example"), (std::vector<Address>{At("2001:db8::1")}));
}

// What an answer holds is handed out next: it is open although all that is there already lives longer.
TEST(OpenedTableTest, ANewAddressMakesNoRoomForLongerLivedOnes) {
  OpenedTable table;
  std::vector<Address> many;
  for (unsigned at = 0; at < OpenedTable::kMaxPerName; ++at)
    many.push_back(boost::asio::ip::address_v4(0x0a000000U + at));
  ASSERT_TRUE(table.Open("*.cdn.example", many, OpenedTable::kCeilingSeconds, 0).ok());
  EXPECT_TRUE(*table.Open("*.cdn.example", {At("192.0.2.1"), At("192.0.2.2")}, 5, 0));
  const auto open = table.AddressesOf("*.cdn.example");
  EXPECT_EQ(open.size(), OpenedTable::kMaxPerName);
  EXPECT_EQ(table.Size(), OpenedTable::kMaxPerName);
  for (const char* text : {"192.0.2.1", "192.0.2.2"})
    EXPECT_EQ(std::ranges::count(open, At(text)), 1) << text;
}

// DNS rebinding.
TEST(MayOpenTest, NamesLeadToNoAddressOfThisHostNorToNobodys) {
  const std::set<Address> own = {At("10.1.0.7"), At("2001:db8::7")};
  for (const char* good : {"192.0.2.1", "10.1.0.8", "2001:db8::8", "fd00::1", "64:ff9b::c000:201"})
    EXPECT_TRUE(MayOpen(At(good), {}, own)) << good;
  for (const char* bad : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.0.0.53", "169.254.169.254", "224.0.0.251",
                          "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "ff02::fb",
                          "::ffff:192.0.2.1", "::192.0.2.1", "10.1.0.7", "2001:db8::7"}) {
    EXPECT_FALSE(MayOpen(At(bad), {}, own)) << bad;
  }
}

TEST(MayOpenTest, TheRulesOwnNetworksMaySayOtherwise) {
  const std::vector<Network> named = {ParseNetwork("10.1.0.7").value(), ParseNetwork("fe80::/10").value(),
                                      ParseNetwork("127.0.0.0/8").value()};
  EXPECT_TRUE(MayOpen(At("10.1.0.7"), named, {At("10.1.0.7")}));
  EXPECT_TRUE(MayOpen(At("fe80::1"), named, {}));
  EXPECT_FALSE(MayOpen(At("127.0.0.1"), named, {})) << "never";
}

}  // namespace
}  // namespace cordon::agent
