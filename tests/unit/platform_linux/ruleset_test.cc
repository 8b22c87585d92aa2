#include "platform/linux/packet_filter/ruleset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "common/base/strings.h"
#include "platform/linux/packet_filter/intervals.h"
#include "platform/linux/packet_filter/listing.h"
#include "platform/linux/packet_filter/set_elements.h"
#include "platform/linux/packet_filter/table_reader.h"
#include "platform/linux/packet_filter/transaction.h"
#include "tests/support/build_paths.h"
#include "tests/support/policies.h"

namespace cordon::platform {
namespace {

using ::cordon::testing::ClinicPolicy;
using ::cordon::testing::LevelName;

const std::vector<Uplink> kUplinks = {{"wlan0", 3}, {"eth0", 2}};

// Compares with a file that a person can review; scripts/update-goldens writes them anew.
void ExpectGolden(const std::string& name, const std::string& text) {
  const std::string path = StrCat(testing::kSourceDir, "/tests/unit/platform_linux/golden/", name);
  if (std::getenv("CORDON_UPDATE_GOLDENS") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(text, golden.str()) << "run scripts/update-goldens and review the difference";
}

class RulesetGolden : public ::testing::TestWithParam<Level> {};

TEST_P(RulesetGolden, IsAsReviewed) {
  ExpectGolden(LevelName(GetParam()) + ".nft", FormatFresh(MakeRuleset(ClinicPolicy(GetParam()), kUplinks)));
}

INSTANTIATE_TEST_SUITE_P(Levels, RulesetGolden, ::testing::ValuesIn(testing::kAllLevels),
                         [](const auto& level) {
                           std::string name = LevelName(level.param);
                           std::erase(name, '-');
                           return name;
                         });

// A profile with host names, and the guard.
FilterPolicy NamesPolicy(Level level) {
  using enum FlowDirection;
  using enum FlowProtocol;
  const auto at = [](const char* text) { return boost::asio::ip::make_address(text); };
  FilterPolicy policy{
      .level = level,
      .allow = {testing::Allow(kOut, kTcp, {"10.2.0.0/16"}, {{443, 443}}),
                testing::Allow(kOut, kTcp, {}, {{443, 443}}), testing::Allow(kBoth, kUdp, {}, {{5060, 5061}}),
                testing::Allow(kOut, kIcmpEcho, {})},
      .controllers = {testing::At("192.0.2.7", 7443)},
      .name_sets = {{.addresses = {at("198.51.100.1"), at("198.51.100.2"), at("2001:db8::1")}},
                    {.addresses = {}}}};
  policy.allow[1].name_set = 0;
  policy.allow[2].name_set = 1;
  policy.allow[3].name_set = 0;
  if (level == Level::kEssential)
    policy.dns = {.guard_port = 1011,
                  .resolvers = {testing::At("10.2.0.53", 53), testing::At("fd00::53", 53)}};
  return policy;
}

TEST(RulesetOfNames, IsAsReviewed) {
  ExpectGolden("names.nft", FormatFresh(MakeRuleset(NamesPolicy(Level::kEssential), kUplinks)));
}

// The controllers' names, where programs have no DNS: the same rules as without, and four lines for each
// server.
TEST(RulesetOfControllersNames, ISO4_OnlyTheAgentsSocketsReachTheResolvers) {
  FilterPolicy policy = ClinicPolicy(Level::kControllerOnly);
  const auto without = MakeRuleset(policy, kUplinks);
  policy.resolvers = {testing::At("10.2.0.53", 53), testing::At("fd00::53", 53)};
  ExpectGolden("controller-names.nft", FormatFresh(MakeRuleset(policy, kUplinks)));
  std::vector<Table> with = MakeRuleset(policy, kUplinks);
  size_t more = 0;
  for (Table& table : with) {
    for (Chain& chain : table.chains) {
      more += std::erase_if(chain.rules, [](const std::string& rule) { return rule.contains("port 53 "); });
    }
  }
  EXPECT_EQ(with, without);
  EXPECT_EQ(more, 16U);
}

// ISO-1: a set that packets look into is changed by single addresses; it is never emptied and filled anew.
TEST(RulesetOfNames, ISO1_AnUpdateTouchesOnlyWhatDiffers) {
  FilterPolicy policy = NamesPolicy(Level::kEssential);
  const auto standing = MakeRuleset(policy, kUplinks, Slot::kB);
  EXPECT_TRUE(std::ranges::all_of(
      NameChanges(standing, MakeNameSets(policy, Slot::kB)),
      [](const ElementChange& change) { return change.added.empty() && change.removed.empty(); }));
  policy.name_sets[0].addresses = {boost::asio::ip::make_address("198.51.100.2"),
                                   boost::asio::ip::make_address("203.0.113.9"),
                                   boost::asio::ip::make_address("2001:db8::1")};
  const auto wanted = MakeNameSets(policy, Slot::kB);
  const auto changes = NameChanges(standing, wanted);
  ASSERT_EQ(changes.size(), 8U) << "four sets in each of two tables";
  for (const ElementChange& change : changes) {
    const bool changed = change.set->name == "names4-0-b";
    ASSERT_EQ(change.added.size(), changed ? 1U : 0U) << change.set->name;
    ASSERT_EQ(change.removed.size(), changed ? 1U : 0U) << change.set->name;
    if (!changed) continue;
    EXPECT_EQ(change.added[0].key, BytesOf(boost::asio::ip::make_address("203.0.113.9")));
    EXPECT_EQ(change.removed[0].key, BytesOf(boost::asio::ip::make_address("198.51.100.1")));
  }
}

// A profile with so many networks that they stand in sets: single addresses of IPv4, ranges of IPv6.
FilterPolicy ManyNetworks() {
  using enum FlowDirection;
  using enum FlowProtocol;
  FilterPolicy policy{.level = Level::kEssential, .allow = {}, .controllers = {}};
  for (const auto direction : {kOut, kBoth}) {
    platform::FilterRule rule = testing::Allow(direction, direction == kOut ? kTcp : kUdp, {}, {{443, 443}});
    for (uint32_t at = 0; at < 20; ++at) {
      rule.networks.push_back({boost::asio::ip::address_v4(0x0a000000U + at), 32});
      rule.networks.push_back(ParseNetwork(StrCat("2001:db8:", at * 2, "::/48")).value());
    }
    policy.allow.push_back(rule);
  }
  return policy;
}

TEST(RulesetOfManyNetworks, IsAsReviewed) {
  ExpectGolden("networks.nft", FormatFresh(MakeRuleset(ManyNetworks(), kUplinks)));
}

// The same addresses both ways, and of several rules, are kept once for each table.
TEST(RulesetOfManyNetworks, EqualListsShareASet) {
  for (const Table& table : MakeRuleset(ManyNetworks(), kUplinks)) {
    ASSERT_EQ(table.sets.size(), 2U);
    EXPECT_EQ(table.sets[0].elements.size(), 20U);
    EXPECT_FALSE(table.sets[0].ranges);
    EXPECT_TRUE(table.sets[1].ranges);
  }
}

TEST(RulesetOfManyNetworks, ISO7_EveryAlteredSetIsADifference) {
  for (const Table& table : MakeRuleset(ManyNetworks(), kUplinks)) {
    const auto differs = [&](auto change) {
      Table altered = table;
      change(altered.sets);
      const auto listing = ParseListing(FormatTables({altered}));
      return !listing.ok() || !Differences(Canonical(table), listing->table).empty();
    };
    EXPECT_FALSE(differs([](auto&) {})) << "the positive control";
    EXPECT_TRUE(differs([](auto& sets) { sets[0].elements.pop_back(); }));
    EXPECT_TRUE(differs([](auto& sets) { sets[1].elements[3].last[15] ^= 1; }));
    EXPECT_TRUE(differs([](auto& sets) { sets[1].ranges = false; }));
    EXPECT_TRUE(differs([](auto& sets) { sets[0].elements.clear(); })) << "as a listing without elements";
    EXPECT_TRUE(differs([](auto& sets) { sets.clear(); }));
  }
}

TEST(SetElements, AreTakenApartAndPutTogetherAgain) {
  for (const Table& table : MakeRuleset(ManyNetworks(), kUplinks)) {
    for (const AddressSet& set : table.sets) {
      std::vector<RawElement> raw = RawElementsOf(set);
      EXPECT_EQ(raw.size(), set.elements.size() * (set.ranges ? 2 : 1));
      std::ranges::reverse(raw);
      EXPECT_EQ(IntervalsOf(set, raw), set.elements);
    }
  }
}

TEST(SetElements, KnowsRangesAtBothEndsOfTheAddresses) {
  AddressSet set{.name = "x", .v6 = false, .ranges = true};
  set.elements = {*ParseInterval("0.0.0.0/8", false), *ParseInterval("240.0.0.0/4", false)};
  std::vector<RawElement> raw = RawElementsOf(set);
  EXPECT_EQ(raw.size(), 3U) << "nothing comes after the highest address";
  EXPECT_EQ(IntervalsOf(set, raw), set.elements);
  set.elements = {*ParseInterval("10.0.0.0-10.0.0.6", false)};
  raw = RawElementsOf(set);
  raw.push_back({.key = {}, .ends_range = true});  // libnftables' mark below the first range
  EXPECT_EQ(IntervalsOf(set, raw), set.elements);
}

TEST(SetElements, ISO7_ElementsThatMakeNoRangesAreNotTakenForAny) {
  const AddressSet set{.name = "x", .v6 = false, .ranges = true};
  const AddressBytes low = BytesOf(boost::asio::ip::make_address("10.0.0.1"));
  const AddressBytes high = BytesOf(boost::asio::ip::make_address("10.0.0.9"));
  EXPECT_EQ(IntervalsOf(set, {{low}, {high}}), std::nullopt);
  EXPECT_EQ(IntervalsOf(set, {{low, true}}), std::nullopt);
  EXPECT_EQ(IntervalsOf(set, {{low}, {high, true}, {high, true}}), std::nullopt);
  EXPECT_EQ(IntervalsOf(set, {{low}})->front().last, HighestAddress(false)) << "the positive control";
}

// Of a listing of all tables, the one that is meant; whatever others are called.
TEST(TableReader, FindsOneTableAmongOthers) {
  const std::string others =
      "table inet cordon-watch {\n\tchain x {\n\t}\n}\ntable netdev cordon {\n\tchain y {\n\t}\n}\n";
  const std::string own = "table inet cordon {\n\tchain input {\n\t\taccept\n\t}\n}\n";
  EXPECT_EQ(TableIn(StrCat(others, own), "inet", "cordon").value(), own);
  EXPECT_EQ(TableIn(StrCat(own, others), "inet", "cordon").value(), own);
  EXPECT_FALSE(TableIn(others, "inet", "cordon").ok());
  EXPECT_FALSE(TableIn(StrCat(own, others, own), "inet", "cordon").ok()) << "two of one name";
  EXPECT_EQ(TableIn(others, "inet", "cordon-watch").value(), "table inet cordon {\n\tchain x {\n\t}\n}\n");
  EXPECT_TRUE(ParseListing(TableIn("table inet cordon {\n}\n", "inet", "cordon").value()).ok());
}

TEST(RulesetOfNames, OnlyTheLevelsOfTheProfileHaveSets) {
  for (const Level level : testing::kAllLevels) {
    const bool of_profile = level == Level::kNoLateral || level == Level::kEssential;
    EXPECT_EQ(MakeNameSets(NamesPolicy(level), Slot::kA).size(), of_profile ? 4U : 0U);
  }
}

// ISO-1: sets come with the fill and go with the tidying, never with the turn.
TEST(RulesetOfNames, ISO1_SetsOfTheLiveSlotStayThroughTheTurn) {
  const auto standing = MakeRuleset(NamesPolicy(Level::kEssential), kUplinks, Slot::kA);
  const auto wanted = MakeRuleset(NamesPolicy(Level::kNoLateral), kUplinks, Slot::kB);
  const std::string fill = FormatFill(standing, wanted);
  EXPECT_NE(fill.find("set names4-0-b {"), std::string::npos);
  EXPECT_EQ(fill.find("delete set"), std::string::npos);
  const std::string turn = FormatTurn(standing, wanted);
  EXPECT_EQ(turn.find("set names"), std::string::npos) << turn;
  EXPECT_NE(turn.find("delete chain inet cordon to-guard\n"), std::string::npos) << turn;
  const auto turned = AfterTurn(standing, wanted);
  EXPECT_NE(FormatTidy(turned, wanted).find("delete set inet cordon names4-0-a\n"), std::string::npos);
  EXPECT_NE(FormatFill(turned, MakeRuleset(NamesPolicy(Level::kEssential), kUplinks, Slot::kA))
                .find("delete set netdev cordon names6-1-a\n"),
            std::string::npos);
}

// ISO-7: an address more or less in a set is a difference.
TEST(RulesetOfNames, ISO7_EveryAlteredSetIsADifference) {
  for (const Table& table : MakeRuleset(NamesPolicy(Level::kEssential), kUplinks)) {
    const Table intended = Canonical(table);
    const auto differs = [&](auto change) {
      Table altered = table;
      change(altered.sets);
      const auto listing = ParseListing(FormatTables({altered}));
      return !listing.ok() || !Differences(intended, listing->table).empty();
    };
    EXPECT_FALSE(differs([](auto&) {})) << "the positive control";
    EXPECT_FALSE(differs([](auto& sets) { std::swap(sets[0].elements[0], sets[0].elements[1]); }));
    EXPECT_TRUE(differs([](auto& sets) { sets[0].elements.pop_back(); }));
    EXPECT_TRUE(
        differs([](auto& sets) { sets[2].elements.push_back(*ParseInterval("203.0.113.9", false)); }));
    EXPECT_TRUE(differs([](auto& sets) { sets[1].elements[0] = *ParseInterval("2001:db8::2", true); }));
    EXPECT_TRUE(differs([](auto& sets) { sets.pop_back(); }));
    EXPECT_TRUE(differs([](auto& sets) { sets[3].v6 = false; }));
    EXPECT_TRUE(differs([](auto& sets) { sets.push_back({.name = "extra"}); }));
  }
}

TEST(RulesetOfNames, SetsOfAnotherFormAreNotTakenForOurs) {
  for (const char* set :
       {"set x { type ipv4_addr flags timeout }", "set x { type inet_service }",
        "set x { type ipv4_addr elements = { 10.0.0.0/8 } }", "set x { type ipv4_addr elements = { z } }",
        "set x { type ipv4_addr elements = { 1.2.3.4 } timeout 3s }", "map x { type a : b }"}) {
    const auto listing = ParseListing(StrCat("table inet cordon {\n\t", set, "\n}\n"));
    ASSERT_TRUE(listing.ok()) << listing.status();
    EXPECT_TRUE(listing->table.sets.empty()) << set;
    EXPECT_FALSE(listing->table.header.empty()) << set;
  }
}

// The two transactions of a change, and the one that tidies up, for a host whose wlan0 has gone.
TEST(Transaction, AChangeIsAsReviewed) {
  const FilterPolicy before = ClinicPolicy(Level::kNoLateral);
  const FilterPolicy after = ClinicPolicy(Level::kControllerOnly);
  const std::vector<Table> standing = MakeRuleset(before, kUplinks, Slot::kA);
  const std::vector<Table> wanted = MakeRuleset(after, {{"eth0", 2}}, Slot::kB);
  const std::vector<Table> turned = AfterTurn(standing, wanted);
  ExpectGolden("change.nft",
               StrCat("# fill\n", FormatFill(standing, wanted), "# turn\n", FormatTurn(standing, wanted),
                      "# tidy\n", FormatTidy(turned, wanted), "# unhook\n", FormatUnhook(turned)));
}

// ISO-1: the transaction that changes what is judged makes no set and deletes none.
TEST(Transaction, ISO1_NoSetComesOrGoesWithTheTurn) {
  for (const Level from : testing::kAllLevels) {
    for (const Level to : testing::kAllLevels) {
      const auto standing = MakeRuleset(ClinicPolicy(from), kUplinks, Slot::kA);
      const auto wanted = MakeRuleset(ClinicPolicy(to), kUplinks, Slot::kB);
      const std::string turn = FormatTurn(standing, wanted);
      EXPECT_EQ(turn.find(" { 1"), std::string::npos) << turn;
      EXPECT_EQ(turn.find("-a\n"), std::string::npos) << "the live slot stays as it is: " << turn;
      EXPECT_EQ(FormatFill(standing, wanted).find("hook"), std::string::npos);
    }
  }
}

TEST(Transaction, FillsASlotThatIsLeftOverAnew) {
  const auto standing = MakeRuleset(ClinicPolicy(Level::kEssential), kUplinks, Slot::kA);
  const auto wanted = MakeRuleset(ClinicPolicy(Level::kDark), kUplinks, Slot::kB);
  const auto turned = AfterTurn(standing, wanted);
  EXPECT_EQ(LiveSlot(turned), Slot::kB);
  const std::string again =
      FormatFill(turned, MakeRuleset(ClinicPolicy(Level::kNoLateral), kUplinks, Slot::kA));
  EXPECT_TRUE(again.starts_with("flush chain inet cordon input-a\n")) << again;
  EXPECT_NE(again.find("delete chain netdev cordon out-of-host-a\n"), std::string::npos);
}

TEST(Ruleset, TheLiveSlotIsKnownOnlyWhenAllHooksAgree) {
  auto tables = MakeRuleset(ClinicPolicy(Level::kDark), kUplinks, Slot::kB);
  EXPECT_EQ(LiveSlot(tables), Slot::kB);
  EXPECT_EQ(LiveSlot({}), std::nullopt);
  for (Chain& chain : tables[1].chains) {
    if (chain.name == "egress/eth0") chain.rules = {"jump out-of-host-a"};
  }
  EXPECT_EQ(LiveSlot(tables), std::nullopt);
  for (Chain& chain : tables[1].chains) {
    if (chain.name == "egress/eth0") chain.rules = {"accept"};
  }
  EXPECT_EQ(LiveSlot(tables), std::nullopt);
}

TEST(Ruleset, DoesNotDependOnTheOrderOfUplinks) {
  const FilterPolicy policy = ClinicPolicy(Level::kEssential);
  EXPECT_EQ(MakeRuleset(policy, {{"a", 1}, {"b", 2}}), MakeRuleset(policy, {{"b", 2}, {"a", 1}}));
}

TEST(Ruleset, NoRuleAsksForTheStateOfAConnection) {
  for (const Level level : testing::kAllLevels) {
    EXPECT_EQ(FormatFresh(MakeRuleset(ClinicPolicy(level), kUplinks)).find(" ct "), std::string::npos);
  }
}

TEST(Ruleset, NamesThatCouldLeaveTheirQuotesAreNotHooked) {
  for (const char* name : {"e\"vil", "eth*", "a\\b", "", "tab\t", "nl\n", "$x"}) {
    EXPECT_FALSE(CanHook({name, 1})) << name;
    EXPECT_EQ(MakeRuleset(ClinicPolicy(Level::kDark), {{name, 1}}),
              MakeRuleset(ClinicPolicy(Level::kDark), {}));
  }
  EXPECT_TRUE(CanHook({"eth0", 1})) << "the positive control";
}

TEST(Intervals, JoinsOverlappingAndTouchingNetworks) {
  const auto text = [](const std::vector<std::string>& networks, bool v6 = false) {
    std::vector<Network> parsed;
    for (const std::string& network : networks) parsed.push_back(ParseNetwork(network).value());
    return AddressSetText(parsed, v6);
  };
  EXPECT_EQ(text({"10.0.0.0/8", "10.1.0.0/16"}), "10.0.0.0/8");
  EXPECT_EQ(text({"10.0.0.0/25", "10.0.0.128/25"}), "10.0.0.0/24");
  EXPECT_EQ(text({"10.0.0.3", "10.0.0.1", "10.0.0.2"}), "10.0.0.1-10.0.0.3");
  EXPECT_EQ(text({"192.0.2.1", "10.0.0.1"}), "{ 10.0.0.1, 192.0.2.1 }");
  EXPECT_EQ(text({"0.0.0.0/0", "10.0.0.1"}), "{ 0.0.0.0/1, 128.0.0.0/1 }");
  EXPECT_EQ(text({"255.255.255.255", "255.255.255.254"}), "255.255.255.254/31");
  EXPECT_EQ(text({"10.0.0.1"}, true), "");
  EXPECT_EQ(text({"2001:db8::/33", "2001:db8:8000::/33"}, true), "2001:db8::/32");
}

TEST(Intervals, JoinsPorts) {
  EXPECT_EQ(PortSetText(JoinPorts({{80, 90}, {85, 95}, {96, 96}, {443, 443}})), "{ 80-96, 443 }");
  EXPECT_EQ(PortSetText(JoinPorts({{65535, 65535}, {1, 65534}})), "1-65535");
  EXPECT_EQ(PortSetText({}), "");
}

TEST(Listing, ReadsWhatItWroteAndLeavesCountersOut) {
  for (const Table& table : MakeRuleset(ClinicPolicy(Level::kNoLateral), kUplinks)) {
    std::string text = FormatTables({table});
    for (size_t at = text.find("counter drop"); at != std::string::npos;
         at = text.find("counter drop", at + 1)) {
      text.insert(at + 7, " packets 3 bytes 200");
    }
    const auto listing = ParseListing(text);
    ASSERT_TRUE(listing.ok()) << listing.status();
    EXPECT_EQ(Differences(Canonical(table), listing->table), std::vector<std::string>{});
    EXPECT_GT(listing->dropped_packets, 0U);
    EXPECT_EQ(listing->dropped_packets % 3, 0U);
  }
}

// ISO-7: no single line can go, come or change without a difference.
TEST(Listing, ISO7_EveryAlteredLineIsADifference) {
  for (const Table& table : MakeRuleset(ClinicPolicy(Level::kEssential), kUplinks)) {
    const Table intended = Canonical(table);
    for (size_t chain = 0; chain < table.chains.size(); ++chain) {
      for (size_t rule = 0; rule < table.chains[chain].rules.size(); ++rule) {
        const auto differs = [&](auto change) {
          Table altered = table;
          change(altered.chains[chain].rules);
          const auto listing = ParseListing(FormatTables({altered}));
          return !listing.ok() || !Differences(intended, listing->table).empty();
        };
        const auto at = static_cast<std::ptrdiff_t>(rule);
        EXPECT_TRUE(differs([&](auto& rules) { rules.erase(rules.begin() + at); }));
        EXPECT_TRUE(differs([&](auto& rules) { rules.insert(rules.begin() + at, "accept"); }));
        EXPECT_TRUE(differs([&](auto& rules) { rules[rule] += " comment \"x\""; }));
      }
    }
  }
}

TEST(Listing, RefusesTextOfAnotherShape) {
  for (const char* text : {"", "table inet cordon {", "table inet other {\n}", "}",
                           "table inet cordon {\nchain x {\n}", "error: no such table"}) {
    EXPECT_FALSE(ParseListing(text).ok()) << text;
  }
}

}  // namespace
}  // namespace cordon::platform
