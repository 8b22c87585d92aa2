#include "platform/linux/bypasses/foreign_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>

#include <cstring>

#include "common/base/strings.h"
#include "platform/linux/bypasses/traffic_control.h"
#include "platform/linux/links/link_news.h"
#include "platform/linux/packet_filter/listing.h"
#include "platform/linux/packet_filter/notification.h"
#include "platform/linux/packet_filter/watch.h"
#include "platform/linux/probes/frames.h"
#include "tests/support/policies.h"

namespace cordon::platform {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kListing = R"(table inet cordon {
	chain output {
		type filter hook output priority -500; policy accept;
	}
}
table netdev other {
	chain early {
		type filter hook ingress device "eth0" priority filter - 9; policy accept;
	}
}
table ip nat {
	chain POST {
		type nat hook postrouting priority srcnat; policy accept;
	}
	chain plain {
	}
	chain first {
		type filter hook output priority raw - 400; policy drop;
	}
}
)";

TEST(ForeignRules, FindsBaseChainsOfOthers) {
  const std::vector<BaseChain> chains = ParseBaseChains(kListing);
  ASSERT_EQ(chains.size(), 3U);
  EXPECT_EQ(chains[0], (BaseChain{"netdev", "other", "early", "filter", "ingress", -9, "accept"}));
  EXPECT_EQ(chains[1], (BaseChain{"ip", "nat", "POST", "nat", "postrouting", 100, "accept"}));
  EXPECT_EQ(chains[2], (BaseChain{"ip", "nat", "first", "filter", "output", -700, "drop"}));
}

TEST(ForeignRules, ISO7_KnowsWhereOthersCouldLeadPacketsPast) {
  const auto chains = ParseBaseChains(kListing);
  EXPECT_TRUE(MayBypass(chains[0])) << "at an interface";
  EXPECT_FALSE(MayBypass(chains[1])) << "what it rewrites is judged at the uplink";
  EXPECT_TRUE(MayBypass(chains[2])) << "before Cordon's";
}

TEST(ForeignRules, ISO7_KnowsRulesThatSendElsewhereOrRewrite) {
  for (const char* rule : {"fwd to \"lo\"", "dup to \"eth1\"", "ip daddr set 10.0.0.1", "meta mark set 0x1",
                           "udp dport 53 dnat to 10.0.0.1", "counter packets 1 bytes 2 redirect to :80"}) {
    EXPECT_TRUE(Rewrites(rule)) << rule;
  }
  for (const char* rule : {"accept", "ip daddr @allowed drop", "log prefix \"all set \" drop",
                           "update @seen { ip saddr }", "drop comment \"fwd to me\""}) {
    EXPECT_FALSE(Rewrites(rule)) << rule;
  }
}

TEST(ForeignRules, ReadsRulesWithSetsOverSeveralLines) {
  const auto rules = ParseRules(
      "table ip t {\n\tset s {\n\t\ttype ipv4_addr\n\t}\n\tchain c {\n\t\ttype filter hook "
      "input priority 0; policy accept;\n\t\tip saddr { 10.0.0.1,\n\t\t\t10.0.0.2 } drop\n"
      "\t\taccept\n\t}\n}\n");
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(rules[0].text, "ip saddr { 10.0.0.1, 10.0.0.2 } drop");
  EXPECT_EQ(rules[1].chain, "c");
}

TEST(TrafficControl, ISO7_FindsTheActionInAFiltersBytes) {
  const auto kind = [](std::string_view name) {
    nlattr head{.nla_len = static_cast<uint16_t>(sizeof(nlattr) + name.size() + 1), .nla_type = TCA_ACT_KIND};
    std::string bytes(sizeof(head), '\0');
    std::memcpy(bytes.data(), &head, sizeof(head));
    return "junk" + bytes + std::string(name) + std::string(1, '\0') + "more";
  };
  EXPECT_EQ(RewritingAction(kind("mirred")), "mirred");
  EXPECT_EQ(RewritingAction(kind("gact")), "");
  EXPECT_EQ(RewritingAction("mirred"), "") << "a name alone is no action";
}

TEST(Parsers, AUT6_TakeNoHarmFromBytesThatAreNone) {
  NotificationReader reader;
  for (size_t size = 0; size < 64; ++size) {
    alignas(8) std::array<char, 64> bytes;
    bytes.fill('\xff');
    EXPECT_FALSE(ParseLinkNews(bytes.data(), size).has_value());
    EXPECT_FALSE(ParseTrafficFilter(bytes.data(), std::min<size_t>(size, 19)).has_value());
    reader.Read(bytes.data(), size, [](const GenerationNotice&) { ADD_FAILURE() << "out of nothing"; });
  }
}

TEST(Watch, ISO6_CountsWhereTheRulesDropAndDecidesNothing) {
  for (const Level level : {Level::kNoLateral, Level::kEssential, Level::kControllerOnly, Level::kDark}) {
    const auto watch = MakeWatch(testing::ClinicPolicy(level), {{.name = "eth0", .index = 2}});
    const std::string text = FormatWatch(watch);
    EXPECT_THAT(text, HasSubstr("table netdev cordon-watch {"));
    EXPECT_THAT(text, HasSubstr("hook egress device \"eth0\" priority 500"));
    EXPECT_THAT(text, HasSubstr("counter\n"));
    EXPECT_THAT(text, Not(HasSubstr("drop"))) << text;
    EXPECT_THAT(text, Not(HasSubstr(" cordon {"))) << text;
  }
  EXPECT_TRUE(MakeWatch({.level = Level::kObserve}, {{.name = "eth0", .index = 2}}).empty());
}

TEST(Watch, AddsUpItsCounters) {
  const auto listing = ParseListing(
      "table inet cordon {\n\tchain input {\n\t\tcounter packets 3 bytes 100\n"
      "\t\ttcp dport 22 counter packets 4 bytes 1\n\t}\n}\n");
  ASSERT_TRUE(listing.ok()) << listing.status();
  EXPECT_EQ(listing->counted_packets, 7U);
}

// Found by the fuzzer: of two chains of one name the second was compared with nothing.
TEST(Listing, ISO6_WhatHasANameTwiceIsRefused) {
  const auto with = [](std::string_view more) {
    return ParseListing(StrCat(
        "table inet cordon {\n\tset a {\n\t\ttype ipv4_addr\n\t}\n\tchain input {\n\t}\n", more, "}\n"));
  };
  EXPECT_TRUE(with("\tchain output {\n\t}\n\tset b {\n\t\ttype ipv4_addr\n\t}\n").ok());
  EXPECT_FALSE(with("\tchain input {\n\t\taccept\n\t}\n").ok());
  EXPECT_FALSE(with("\tset a {\n\t\ttype ipv4_addr\n\t}\n").ok());
}

// A TCP segment whose checksum is right adds up to nothing; so does an IPv4 header.
TEST(Frames, HaveRightChecksums) {
  const auto source = boost::asio::ip::make_address("192.0.2.1");
  const std::string syn = MakeSyn(source, 40'009, testing::At("192.0.2.254", 9));
  ASSERT_EQ(syn.size(), 20U);
  const std::string pseudo("\xc0\x00\x02\x01\xc0\x00\x02\xfe\x00\x00\x00\x14\x00\x00\x00\x06", 16);
  EXPECT_EQ(InternetChecksum(pseudo + syn), 0);
  const std::string frame = MakeUdpFrame(source.to_v4(), testing::At("192.0.2.254", 9));
  EXPECT_EQ(InternetChecksum(frame.substr(14, 20)), 0);
}

// Whoever receives a dud sums it and drops it: neither right nor 0, which over UDP is "not summed".
TEST(Frames, ISO7_OfDudsHaveAChecksumThatIsWrongAndNotMissing) {
  struct Kind {
    FlowProtocol protocol;
    uint8_t number;
    size_t checksum_at;
    size_t size;
  };
  const std::string addresses("\xc0\x00\x02\x01\xc0\x00\x02\xfe", 8);
  for (const Kind& kind : {Kind{FlowProtocol::kTcp, 6, 16, 20}, Kind{FlowProtocol::kUdp, 17, 6, 14},
                           Kind{FlowProtocol::kIcmpEcho, 1, 2, 14}}) {
    for (uint32_t port = 1; port < 65'536; ++port) {
      const std::string dud = MakeDud(kind.protocol, boost::asio::ip::make_address("192.0.2.1"), 40'009,
                                      testing::At("192.0.2.254", static_cast<uint16_t>(port)));
      ASSERT_EQ(dud.size(), kind.size);
      const std::string pseudo = addresses + std::string(3, '\0') + static_cast<char>(dud.size()) +
                                 std::string(3, '\0') + static_cast<char>(kind.number);
      ASSERT_NE(InternetChecksum(kind.number == 1 ? dud : pseudo + dud), 0) << port;
      ASSERT_NE(dud.substr(kind.checksum_at, 2), std::string(2, '\0')) << port;
      if (kind.number == 1) break;
      ASSERT_EQ(static_cast<uint8_t>(dud[2]) * 256U + static_cast<uint8_t>(dud[3]), port);
    }
  }
}

}  // namespace
}  // namespace cordon::platform
