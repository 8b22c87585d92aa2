#include "agent/names/dns_message.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/dns_bytes.h"

namespace cordon::agent {
namespace {

using namespace cordon::testing;  // NOLINT(google-build-using-namespace): the bytes' words

const DnsQuestion kQuestion{.name = "pms.example.vet", .type = RecordType::kA};

boost::asio::ip::address Address(const char* text) {
  return boost::asio::ip::make_address(text);
}

DnsAnswer Parsed(const std::vector<std::string>& records, unsigned flags = 0x8180) {
  const auto answer = ParseAnswer(WireAnswer(7, "pms.example.vet", kTypeA, records, flags), 7, kQuestion);
  EXPECT_TRUE(answer.ok()) << answer.status();
  return answer.value_or(DnsAnswer{});
}

DnsQuery Query(const std::string& name = "pms.example.vet", uint16_t type = kTypeA) {
  return ParseQuery(WireQuery(99, name, type)).value();
}

TEST(DnsQueryTest, ReadsWhatAProgramAsks) {
  const auto query = ParseQuery(WireQuery(99, "PMS.Example.vet", kTypeAaaa));
  ASSERT_TRUE(query.ok()) << query.status();
  EXPECT_EQ(query->id, 99);
  EXPECT_EQ(query->question, (DnsQuestion{.name = "pms.example.vet", .type = RecordType::kAaaa}));
  EXPECT_EQ(query->name_bytes, WireName("PMS.Example.vet"));
  EXPECT_TRUE(query->recursion_desired);
  EXPECT_FALSE(query->edns_udp_bytes.has_value());
}

TEST(DnsQueryTest, ReadsTheSizeThatAClientTakes) {
  const auto query = ParseQuery(WireHeader(1, 0x0100, 1, 0, 1) + WireQuestion("a.example", kTypeA) +
                                WireEdns(4'096, "secret"));
  ASSERT_TRUE(query.ok()) << query.status();
  EXPECT_EQ(query->edns_udp_bytes, 4'096);
}

TEST(DnsQueryTest, RefusesWhatIsNotOneOrdinaryQuestion) {
  const std::string question = WireQuestion("a.example", kTypeA);
  ASSERT_TRUE(ParseQuery(WireHeader(1, 0x0100, 1, 0) + question).ok()) << "the positive control";
  for (const std::string& bytes :
       {std::string(), std::string(11, '\0'), WireHeader(1, 0x8100, 1, 0) + question,  // an answer
        WireHeader(1, 0x2900, 1, 0) + question,                                        // an update
        WireHeader(1, 0x0100, 0, 0), WireHeader(1, 0x0100, 2, 0) + question + question,
        WireHeader(1, 0x0100, 2, 0) + question,  // one is missing
        WireHeader(1, 0x0100, 1, 1) + question + WireAddress("a.example", "192.0.2.1", 1),
        WireHeader(1, 0x0100, 1, 0) + WireQuestion("a.example", kTypeA, 3),    // class CHAOS
        WireHeader(1, 0x0100, 1, 0) + "\xc0\x0c" + Number16(1) + Number16(1),  // a name that leads to itself
        WireHeader(1, 0x0100, 1, 0) + std::string(64, 'x')}) {
    EXPECT_FALSE(ParseQuery(bytes).ok());
  }
}

TEST(DnsQueryTest, IsRebuiltWithNothingOfTheClients) {
  const auto query = ParseQuery(WireHeader(1, 0x0130, 1, 0, 1) + WireQuestion("PMS.example.VET", kTypeA) +
                                WireEdns(4'096, "secret"));
  ASSERT_TRUE(query.ok()) << query.status();
  const auto plain = MakeQuery(4'711, query->question, false);
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(*plain, WireQuery(4'711, "pms.example.vet", kTypeA));
  const auto edns = MakeQuery(4'711, query->question, true);
  ASSERT_TRUE(edns.ok()) << edns.status();
  EXPECT_EQ(*edns, WireHeader(4'711, 0x0100, 1, 0, 1) + WireQuestion("pms.example.vet", kTypeA) +
                       WireEdns(kUsualUdpBytes));
}

TEST(DnsAnswerTest, TakesTheChainAndItsAddresses) {
  const DnsAnswer answer = Parsed({WireAlias("PMS.example.vet", "edge.cdn.example", 300),
                                   WireAlias("edge.cdn.example", "n7.cdn.example", 40),
                                   WireAddress("n7.cdn.example", "192.0.2.1", 60),
                                   WireAddress("n7.cdn.example", "192.0.2.2", 50)});
  ASSERT_EQ(answer.chain.size(), 2U);
  EXPECT_EQ(answer.chain[1], (AliasRecord{"n7.cdn.example", 40}));
  ASSERT_EQ(answer.addresses.size(), 2U);
  EXPECT_EQ(answer.addresses[0], (AddressRecord{Address("192.0.2.1"), 60}));
  EXPECT_EQ(answer.TtlSeconds(), 40U);
}

TEST(DnsAnswerTest, LeavesOutWhatIsNotOnTheChain) {
  const DnsAnswer answer = Parsed(
      {WireAddress("bank.example", "198.51.100.1", 60), WireAlias("pms.example.vet", "edge.example", 60),
       WireAddress("pms.example.vet", "198.51.100.2", 60), WireAddress("edge.example", "2001:db8::1", 60),
       WireRecord("edge.example", kTypeText, 60, "\x04text"), WireAddress("edge.example", "192.0.2.1", 60)});
  ASSERT_EQ(answer.addresses.size(), 1U);
  EXPECT_EQ(answer.addresses[0].address, Address("192.0.2.1"));
}

TEST(DnsAnswerTest, ACircleOfAliasesLeadsNowhere) {
  const DnsAnswer answer =
      Parsed({WireAlias("pms.example.vet", "b.example", 60), WireAlias("b.example", "pms.example.vet", 60)});
  EXPECT_TRUE(answer.addresses.empty());
  EXPECT_TRUE(answer.chain.empty());
}

TEST(DnsAnswerTest, IsOnlyForItsIdAndQuestion) {
  const std::vector<std::string> records = {WireAddress("pms.example.vet", "192.0.2.1", 60)};
  const std::string good = WireAnswer(7, "pms.example.vet", kTypeA, records);
  ASSERT_TRUE(ParseAnswer(good, 7, kQuestion).ok()) << "the positive control";
  EXPECT_FALSE(ParseAnswer(good, 8, kQuestion).ok());
  EXPECT_FALSE(ParseAnswer(WireAnswer(7, "pmz.example.vet", kTypeA, records), 7, kQuestion).ok());
  EXPECT_FALSE(ParseAnswer(WireAnswer(7, "pms.example.vet", kTypeAaaa, records), 7, kQuestion).ok());
  EXPECT_FALSE(ParseAnswer(WireAnswer(7, "pms.example.vet", kTypeA, records, 0x0180), 7, kQuestion).ok())
      << "a query";
  EXPECT_FALSE(ParseAnswer(WireHeader(7, 0x8180, 0, 0), 7, kQuestion).ok()) << "no question";
  EXPECT_TRUE(ParseAnswer(WireHeader(7, 0x8181, 0, 0), 7, kQuestion).ok()) << "an old server's format error";
}

TEST(DnsAnswerTest, TellsCodeAndTruncation) {
  EXPECT_EQ(Parsed({}, 0x8183).code, ResponseCode::kNameError);
  EXPECT_TRUE(Parsed({}, 0x8380).truncated);
  EXPECT_FALSE(Parsed({}).truncated);
  EXPECT_EQ(Parsed({WireAddress("pms.example.vet", "192.0.2.1", 0x80000000U)}).TtlSeconds(), 0U);
}

TEST(DnsReplyTest, HoldsTheQuestionAsItWasWrittenAndTheRecords) {
  DnsAnswer answer;
  answer.chain = {{"edge.example", 30}};
  answer.addresses = {{Address("192.0.2.1"), 60}, {Address("192.0.2.2"), 60}};
  const std::string reply = MakeReply(Query("PMS.example.vet"), answer, kPlainUdpBytes);
  EXPECT_TRUE(reply.starts_with(WireHeader(99, 0x8180, 1, 3) + WireQuestion("PMS.example.vet", kTypeA)));
  const auto again = ParseAnswer(reply, 99, kQuestion);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->chain, answer.chain);
  EXPECT_EQ(again->addresses, answer.addresses);
}

TEST(DnsReplyTest, IsMarkedWhenItDoesNotFit) {
  DnsAnswer answer;
  for (int i = 0; i < 100; ++i)
    answer.addresses.push_back({Address(("192.0.2." + std::to_string(i)).c_str()), 60});
  const std::string cut = MakeReply(Query(), answer, kPlainUdpBytes);
  EXPECT_EQ(cut, WireHeader(99, 0x8380, 1, 0) + WireQuestion("pms.example.vet", kTypeA));
  const auto whole = ParseAnswer(MakeReply(Query(), answer, kMaxDnsBytes), 99, kQuestion);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(whole->addresses.size(), 100U);
}

TEST(DnsReplyTest, AnswersEdnsWithEdns) {
  const auto query =
      ParseQuery(WireHeader(99, 0x0100, 1, 0, 1) + WireQuestion("pms.example.vet", kTypeA) + WireEdns(4'096));
  ASSERT_TRUE(query.ok());
  EXPECT_EQ(
      MakeReply(*query, ResponseCode::kRefused),
      WireHeader(99, 0x8185, 1, 0, 1) + WireQuestion("pms.example.vet", kTypeA) + WireEdns(kUsualUdpBytes));
}

TEST(DnsReplyTest, AFormatErrorAnswersQueriesOnly) {
  EXPECT_EQ(MakeFormatError(WireHeader(5, 0x0100, 9, 0)), WireHeader(5, 0x8101, 0, 0));
  EXPECT_EQ(MakeFormatError(WireHeader(5, 0x2800, 1, 0)), WireHeader(5, 0xa804, 0, 0)) << "not implemented";
  EXPECT_EQ(MakeFormatError(WireHeader(5, 0x8100, 1, 0)), "") << "an answer is not answered";
  EXPECT_EQ(MakeFormatError("short"), "");
}

// AUT-6: whatever bytes come, none is taken for more than it is, and nothing is read past their end.
TEST(DnsMessageHostile, AUT6_DamagedMessagesAreErrorsOrAnswersToTheirQuestion) {
  const std::string good = WireAnswer(
      7, "pms.example.vet", kTypeA,
      {WireAlias("pms.example.vet", "edge.example", 60), WireAddress("edge.example", "192.0.2.1", 60)});
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(ParseAnswer(good.substr(0, size), 7, kQuestion).ok()) << "cut at " << size;
  }
  std::mt19937 random(20261124);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (unsigned changes = 1 + random() % 4; changes > 0; --changes)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    const auto answer = ParseAnswer(bytes, 7, kQuestion);
    if (answer.ok()) {
      EXPECT_LE(answer->addresses.size(), 1U);
    }
    const auto query = ParseQuery(bytes);
    if (query.ok()) {
      EXPECT_FALSE(MakeReply(*query, ResponseCode::kRefused).empty());
    }
  }
}

}  // namespace
}  // namespace cordon::agent
