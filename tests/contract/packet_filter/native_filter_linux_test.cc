// What only the kernel's filter can get wrong.

#include <gtest/gtest.h>

#include <random>

#include "common/base/strings.h"
#include "tests/support/net_namespace.h"
#include "tests/support/policies.h"

namespace cordon::testing {
namespace {

using platform::FilterPolicy;
using platform::FilterReadback;
using platform::Level;

class NativeFilter : public ::testing::Test {
 protected:
  NativeFilter() : host_("nf") {
    host_.Ip("link add eth0 type veth peer name eth1");
    inside_.emplace(host_);
    filter_ = platform::MakePacketFilter();
  }

  FilterReadback ReadBack(const FilterPolicy& policy) { return filter_->ReadBack(policy).value(); }

  NetNamespace host_;
  std::optional<InNetNamespace> inside_;
  std::unique_ptr<platform::PacketFilter> filter_;
};

FilterPolicy RandomPolicy(std::mt19937& random) {
  const auto below = [&](uint32_t bound) { return static_cast<uint32_t>(random() % bound); };
  FilterPolicy policy{
      .level = below(2) == 0 ? Level::kEssential : Level::kNoLateral, .allow = {}, .controllers = {}};
  for (uint32_t rules = below(12); rules > 0; --rules) {
    platform::FilterRule rule{.direction = static_cast<platform::FlowDirection>(1 + below(3)),
                              .protocol = static_cast<platform::FlowProtocol>(1 + below(3))};
    for (uint32_t count = 1 + below(80); count > 0; --count) {
      Network network;
      if (below(2) == 0) {
        network.prefix_length = static_cast<int>(below(33));
        const uint64_t mask = ~((uint64_t{1} << (32 - network.prefix_length)) - 1);
        network.address = boost::asio::ip::address_v4(static_cast<uint32_t>(random() & mask));
      } else {
        boost::asio::ip::address_v6::bytes_type bytes{};
        const uint32_t whole = below(17);
        for (uint32_t at = 0; at < whole; ++at) bytes[at] = static_cast<uint8_t>(below(256));
        network.prefix_length = static_cast<int>(whole * 8);
        network.address = boost::asio::ip::address_v6(bytes);
      }
      rule.networks.push_back(network);
    }
    if (rule.protocol != platform::FlowProtocol::kIcmpEcho) {
      for (uint32_t count = below(6); count > 0; --count) {
        const auto first = static_cast<uint16_t>(1 + below(65535));
        rule.ports.push_back({first, static_cast<uint16_t>(first + below(65536U - first))});
      }
    }
    policy.allow.push_back(rule);
  }
  return policy;
}

// Whatever a profile holds, what nftables lists is what was meant: no policy may show differences for the way
// in which nftables writes it.
TEST_F(NativeFilter, ReadsBackRandomProfilesWithoutDifferences) {
  std::mt19937 random(20261124);
  for (int round = 0; round < 60; ++round) {
    const FilterPolicy policy = RandomPolicy(random);
    const absl::Status applied = filter_->Apply(policy);
    ASSERT_TRUE(applied.ok()) << "round " << round << ": " << applied;
    const FilterReadback readback = ReadBack(policy);
    ASSERT_TRUE(readback.matches) << "round " << round << ": "
                                  << ::testing::PrintToString(readback.differences);
  }
}

TEST_F(NativeFilter, TakesAProfileOfTenThousandAddresses) {
  FilterPolicy policy = ClinicPolicy(Level::kEssential);
  for (uint32_t at = 0; at < 10'000; ++at) {
    platform::FilterRule rule = policy.allow.front();
    rule.networks = {{boost::asio::ip::address_v4(0x0a000000U + at * 8), 32}};
    policy.allow.push_back(rule);
  }
  const absl::Status applied = filter_->Apply(policy);
  ASSERT_TRUE(applied.ok()) << applied;
  EXPECT_TRUE(ReadBack(policy).matches);
}

// ISO-7: what is done to a profile's addresses that stand in sets shows, as what is done to its rules.
TEST_F(NativeFilter, ISO7_NoticesChangesToSetsOfNetworks) {
  FilterPolicy policy{.level = Level::kEssential, .allow = {}, .controllers = {}};
  policy.allow = {Allow(platform::FlowDirection::kBoth, platform::FlowProtocol::kTcp, {}, {{443, 443}})};
  for (uint32_t at = 0; at < 100; ++at) {
    policy.allow[0].networks.push_back({boost::asio::ip::address_v4(0x0a000000U + at * 512), 24});
    policy.allow[0].networks.push_back(ParseNetwork(StrCat("2001:db8::", at * 2)).value());
  }
  for (const char* change :
       {"add element inet cordon networks4-0-a { 203.0.113.9 }", "flush set inet cordon networks4-0-a",
        "delete element inet cordon networks4-0-a { 10.0.0.0/24 }",
        "add element netdev cordon networks4-0-a { 10.0.1.0/25 }",
        "add element inet cordon networks6-1-a { 2001:db8::1 }",
        "delete element netdev cordon networks6-1-a { 2001:db8::2 }",
        "add element netdev cordon networks6-1-a { 2001:db8::1 comment \"mine\" }",
        "add element inet cordon networks6-1-a { * }"}) {
    SCOPED_TRACE(change);
    ASSERT_TRUE(filter_->Apply({.level = Level::kObserve}).ok());  // so that slot a is the live one
    ASSERT_TRUE(filter_->Apply(policy).ok());
    ASSERT_TRUE(ReadBack(policy).matches) << ::testing::PrintToString(ReadBack(policy).differences);
    host_.Run({"nft", change});
    const FilterReadback readback = ReadBack(policy);
    EXPECT_FALSE(readback.matches);
    EXPECT_FALSE(readback.differences.empty());
    ASSERT_TRUE(filter_->Apply(policy).ok()) << "repair";
    EXPECT_TRUE(ReadBack(policy).matches) << ::testing::PrintToString(ReadBack(policy).differences);
  }
}

TEST_F(NativeFilter, LeavesOtherTablesAlone) {
  host_.Run({"nft", "add table inet admins; add chain inet admins c { type filter hook input priority 0; }"});
  ASSERT_TRUE(filter_->Apply(ClinicPolicy(Level::kDark)).ok());
  ASSERT_TRUE(filter_->Apply({.level = Level::kObserve}).ok());
  const std::string left = host_.Run({"nft", "list", "ruleset"});
  EXPECT_NE(left.find("table inet admins"), std::string::npos);
  EXPECT_EQ(left.find("cordon"), std::string::npos);
}

TEST_F(NativeFilter, NamesAnUplinkThatNftablesCannotTakeAndHoldsTheOthers) {
  host_.Ip("link add e\"vil type veth peer name peer0");
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  ASSERT_TRUE(filter_->Apply(policy).ok());
  const FilterReadback readback = ReadBack(policy);
  EXPECT_FALSE(readback.matches);
  ASSERT_EQ(readback.differences.size(), 1U) << ::testing::PrintToString(readback.differences);
  EXPECT_NE(readback.differences.front().find("e\"vil"), std::string::npos);
  EXPECT_EQ(readback.uplinks, (std::vector<std::string>{"eth0", "eth1", "peer0"}));
}

TEST_F(NativeFilter, HooksUplinksWithUnusualNames) {
  for (const char* name : {"a@b", "tab+1", "0x10", "-x", "drop", "#1", "br{0}", "eth0;drop"}) {
    host_.Run({"ip", "link", "add", "name", name, "type", "bridge"});
  }
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  const absl::Status applied = filter_->Apply(policy);
  ASSERT_TRUE(applied.ok()) << applied;
  const FilterReadback readback = ReadBack(policy);
  EXPECT_TRUE(readback.matches) << ::testing::PrintToString(readback.differences);
  EXPECT_EQ(readback.uplinks.size(), 10U);
}

TEST_F(NativeFilter, MatchesAfterAnInterfaceWentAndCameBack) {
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  ASSERT_TRUE(filter_->Apply(policy).ok());
  host_.Ip("link del eth0");
  EXPECT_TRUE(ReadBack(policy).matches) << ::testing::PrintToString(ReadBack(policy).differences);
  host_.Ip("link add eth0 type veth peer name eth1");
  ASSERT_TRUE(filter_->Apply(policy).ok());
  EXPECT_TRUE(ReadBack(policy).matches) << ::testing::PrintToString(ReadBack(policy).differences);
}

// A slot that is left over after a change judges nothing; it goes with the next Tidy, or with the next
// change.
TEST_F(NativeFilter, LeavesTheOldSlotUntilItIsTidied) {
  const auto slots = [&] {
    const std::string rules = host_.Run({"nft", "list", "ruleset"});
    return std::make_pair(rules.find("chain output-a {") != std::string::npos,
                          rules.find("chain output-b {") != std::string::npos);
  };
  ASSERT_TRUE(filter_->Apply(ClinicPolicy(Level::kNoLateral)).ok());
  EXPECT_EQ(slots(), std::make_pair(true, false));
  ASSERT_TRUE(filter_->Apply(ClinicPolicy(Level::kDark)).ok());
  EXPECT_EQ(slots(), std::make_pair(true, true));
  EXPECT_TRUE(ReadBack(ClinicPolicy(Level::kDark)).matches);
  filter_ = platform::MakePacketFilter();  // as after a restart: it finds what stands
  ASSERT_TRUE(filter_->Tidy().ok());
  EXPECT_EQ(slots(), std::make_pair(false, true));
  EXPECT_TRUE(ReadBack(ClinicPolicy(Level::kDark)).matches);
  ASSERT_TRUE(filter_->Apply(ClinicPolicy(Level::kEssential)).ok());
  ASSERT_TRUE(filter_->Apply(ClinicPolicy(Level::kNoLateral)).ok()) << "over what is left, without Tidy";
  EXPECT_TRUE(ReadBack(ClinicPolicy(Level::kNoLateral)).matches);
}

// ISO-1: what stands prepared judges nothing, whether a change follows, another one, or none.
TEST_F(NativeFilter, ISO1_WhatIsPreparedChangesNothingUntilItIsApplied) {
  const FilterPolicy before = ClinicPolicy(Level::kNoLateral);
  ASSERT_TRUE(filter_->Apply(before).ok());
  filter_->Prepare(ClinicPolicy(Level::kDark));
  EXPECT_NE(host_.Run({"nft", "list", "ruleset"}).find("chain output-b {"), std::string::npos);
  EXPECT_TRUE(ReadBack(before).matches) << ::testing::PrintToString(ReadBack(before).differences);
  ASSERT_TRUE(filter_->Apply(ClinicPolicy(Level::kDark)).ok());
  EXPECT_TRUE(ReadBack(ClinicPolicy(Level::kDark)).matches);

  filter_->Prepare(ClinicPolicy(Level::kNoLateral));
  filter_->Prepare(ClinicPolicy(Level::kControllerOnly));
  ASSERT_TRUE(filter_->Apply(ClinicPolicy(Level::kEssential)).ok()) << "another one than was prepared";
  EXPECT_TRUE(ReadBack(ClinicPolicy(Level::kEssential)).matches);
  filter_->Prepare(before);
  ASSERT_TRUE(filter_->Tidy().ok());
  ASSERT_TRUE(filter_->Apply(before).ok()) << "what was prepared is gone";
  EXPECT_TRUE(ReadBack(before).matches);
}

TEST_F(NativeFilter, WhatIsPreparedOnAnOpenHostIsHookedNowhereAndGoes) {
  filter_->Prepare(ClinicPolicy(Level::kDark));
  const std::string prepared = host_.Run({"nft", "list", "ruleset"});
  EXPECT_NE(prepared.find("chain output-a {"), std::string::npos);
  EXPECT_EQ(prepared.find(" hook "), std::string::npos);
  ASSERT_TRUE(filter_->Tidy().ok());
  EXPECT_EQ(host_.Run({"nft", "list", "ruleset"}), "");
  filter_->Prepare(ClinicPolicy(Level::kDark));
  ASSERT_TRUE(filter_->Apply(ClinicPolicy(Level::kDark)).ok());
  EXPECT_TRUE(ReadBack(ClinicPolicy(Level::kDark)).matches);
}

// ISO-1: the agent and the keeper take turns, and neither knows what the other one did.
TEST_F(NativeFilter, ISO1_WhoRemembersAnotherSlotAddsNothingToTheLiveOne) {
  ASSERT_TRUE(filter_->Apply(ClinicPolicy(Level::kNoLateral)).ok());
  ASSERT_TRUE(filter_->Tidy().ok());
  const auto other = platform::MakePacketFilter();
  ASSERT_TRUE(other->Apply(ClinicPolicy(Level::kEssential)).ok());
  ASSERT_TRUE(other->Tidy().ok());
  filter_->Prepare(ClinicPolicy(Level::kControllerOnly));
  const FilterReadback untouched = other->ReadBack(ClinicPolicy(Level::kEssential)).value();
  EXPECT_TRUE(untouched.matches) << ::testing::PrintToString(untouched.differences);
  ASSERT_TRUE(filter_->Apply(ClinicPolicy(Level::kControllerOnly)).ok());
  EXPECT_TRUE(ReadBack(ClinicPolicy(Level::kControllerOnly)).matches)
      << ::testing::PrintToString(ReadBack(ClinicPolicy(Level::kControllerOnly)).differences);
}

// An agent that died between preparing and applying has left tables that judge nothing.
TEST_F(NativeFilter, ISO5_WhatIsHookedNowhereCountsAsAbsentAndGoes) {
  filter_->Prepare(ClinicPolicy(Level::kDark));
  filter_ = platform::MakePacketFilter();
  EXPECT_TRUE(ReadBack({.level = Level::kObserve}).absent);
  ASSERT_TRUE(filter_->Tidy().ok());
  EXPECT_EQ(host_.Run({"nft", "list", "ruleset"}), "");
}

// ISO-7: whatever an intruder or an administrator does to the rules shows.
TEST_F(NativeFilter, ISO7_NoticesEveryKindOfChange) {
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  const char* changes[] = {
      "insert rule inet cordon output accept",
      "insert rule inet cordon input ip saddr 198.51.100.1 accept",
      "flush chain inet cordon output",
      "flush chain inet cordon output-a",
      "delete table inet cordon",
      "delete table netdev cordon",
      "flush chain netdev cordon into-host-a",
      "flush chain netdev cordon egress/eth0",
      "insert rule netdev cordon egress/eth0 accept",
      "add chain inet cordon extra",
      "add set inet cordon extra { type ipv4_addr; }",
      "table inet cordon { flags dormant; }",
      "flush table inet cordon",
      "insert rule netdev cordon out-of-host-a meta mark 7 accept",
      "flush ruleset",
  };
  for (const char* change : changes) {
    SCOPED_TRACE(change);
    ASSERT_TRUE(filter_->Apply({.level = Level::kObserve}).ok());  // so that slot a is the live one
    ASSERT_TRUE(filter_->Apply(policy).ok());
    ASSERT_TRUE(ReadBack(policy).matches) << "the positive control";
    host_.Run({"nft", change});
    const FilterReadback readback = ReadBack(policy);
    EXPECT_FALSE(readback.matches);
    EXPECT_FALSE(readback.differences.empty());
  }
}

// ISO-7: an address that somebody opens, and a redirect that somebody takes away, show.
TEST_F(NativeFilter, ISO7_NoticesChangesToNamesAndToTheRedirect) {
  FilterPolicy policy = ClinicPolicy(Level::kEssential);
  policy.allow.front().name_set = 0;
  policy.name_sets = {{.addresses = {boost::asio::ip::make_address("198.51.100.1")}}};
  policy.dns = {.guard_port = 1011, .resolvers = {At("192.0.2.53", 53)}};
  const auto in_live_slot = [&](std::string change) {
    const std::string listing = host_.Run({"nft", "list", "chain", "inet", "cordon", "output"});
    const std::string slot = listing.find("output-b") == std::string::npos ? "a" : "b";
    for (size_t at = change.find('?'); at != std::string::npos; at = change.find('?'))
      change.replace(at, 1, slot);
    return change;
  };
  for (const char* change :
       {"add element inet cordon names4-0-? { 203.0.113.9 }", "flush set inet cordon names4-0-?",
        "add element netdev cordon names4-0-? { 203.0.113.9 }",
        "add element netdev cordon names6-0-? { 2001:db8::9 }", "flush chain inet cordon to-guard-?",
        "insert rule inet cordon to-guard-? accept", "flush chain inet cordon past-guard",
        "insert rule inet cordon past-guard-? accept",
        "flush chain inet cordon to-guard; delete chain inet cordon to-guard"}) {
    SCOPED_TRACE(change);
    ASSERT_TRUE(filter_->Apply(policy).ok());
    ASSERT_TRUE(ReadBack(policy).matches) << "the positive control";
    host_.Run({"nft", in_live_slot(change)});
    const FilterReadback readback = ReadBack(policy);
    EXPECT_FALSE(readback.matches);
    EXPECT_FALSE(readback.differences.empty());
  }
}

}  // namespace
}  // namespace cordon::testing
