#include "agent/flows/dns_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/strings.h"

namespace cordon::agent {
namespace {

using ::testing::ElementsAre;

std::string Number16(uint16_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xFF)};
}

std::string WireName(std::string_view name) {
  std::string wire;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    wire += static_cast<char>(label.size());
    wire += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  return wire + '\0';
}

std::string Record(std::string_view owner, uint16_t type, const std::string& data) {
  return WireName(owner) + Number16(type) + Number16(1) + std::string("\0\0\0\x3c", 4) +
         Number16(static_cast<uint16_t>(data.size())) + data;
}

constexpr uint16_t kAnswer = 0x8180;

std::string Message(std::string_view question, const std::vector<std::string>& records,
                    uint16_t flags = kAnswer) {
  std::string bytes = Number16(7) + Number16(flags) + Number16(1) +
                      Number16(static_cast<uint16_t>(records.size())) + Number16(0) + Number16(0) +
                      WireName(question) + Number16(1) + Number16(1);
  for (const std::string& record : records) bytes += record;
  return bytes;
}

const std::string kV4 = std::string("\xC6\x33\x64\x07", 4);  // 198.51.100.7
const std::string kV6 = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + '\x05';

boost::asio::ip::address Address(const char* text) {
  return boost::asio::ip::make_address(text);
}

TEST(DnsNames, TheQuestionsNameStandsForTheAddressesAtTheEndOfItsAliases) {
  const auto seen = ReadOverheardAnswer(
      Message("PMS.Example.vet",
              {Record("pms.example.vet", 5, WireName("edge.cdn.example")), Record("edge.cdn.example", 1, kV4),
               Record("edge.cdn.example", 28, kV6), Record("other.example", 1, "\x01\x02\x03\x04")}));
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->name, "pms.example.vet");
  EXPECT_THAT(seen->addresses, ElementsAre(Address("198.51.100.7"), Address("2001:db8::5")));
}

TEST(DnsNames, TakesNothingButAnswersWithAddresses) {
  const std::string good = Message("a.example", {Record("a.example", 1, kV4)});
  EXPECT_TRUE(ReadOverheardAnswer(good).has_value());
  EXPECT_FALSE(ReadOverheardAnswer(Message("a.example", {Record("a.example", 1, kV4)}, 0x0100)))
      << "a question";
  EXPECT_FALSE(ReadOverheardAnswer(Message("a.example", {}, 0x8183))) << "no such name";
  EXPECT_FALSE(ReadOverheardAnswer(Message("a.example", {Record("a.example", 1, "\x01\x02")})))
      << "a short address";
  EXPECT_FALSE(ReadOverheardAnswer(Message("a b.example", {Record("a b.example", 1, kV4)})))
      << "an unusual name";
  EXPECT_FALSE(ReadOverheardAnswer(Message("", {Record("", 1, kV4)}))) << "the root";
  EXPECT_FALSE(ReadOverheardAnswer(good + std::string(kMaxSeenDnsBytes, 'x'))) << "too long";
  for (size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_FALSE(ReadOverheardAnswer(good.substr(0, cut))) << cut;
}

TEST(DnsNames, ACircleOfAliasesEnds) {
  EXPECT_FALSE(ReadOverheardAnswer(Message("a.example", {Record("a.example", 5, WireName("b.example")),
                                                         Record("b.example", 5, WireName("a.example"))})));
}

TEST(DnsNames, KeepsNoMoreAddressesThanItMay) {
  std::vector<std::string> records;
  for (int at = 0; at < 100; ++at) {
    records.push_back(Record("a.example", 1, std::string("\x0a\x00\x00", 3) + static_cast<char>(at)));
  }
  EXPECT_EQ(ReadOverheardAnswer(Message("a.example", records))->addresses.size(), kMaxSeenAddresses);
}

}  // namespace
}  // namespace cordon::agent
