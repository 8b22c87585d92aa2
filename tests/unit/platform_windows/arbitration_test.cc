#include "platform/windows/packet_filter/arbitration.h"

#include <gtest/gtest.h>

#include "tests/unit/platform_windows/lists.h"

namespace cordon::platform::wfp {
namespace {

constexpr Layer kConnect4{Stage::kConnect, false};

Filter Rule(Action action, uint64_t weight, std::vector<Condition> conditions = {}) {
  return {.name = "a rule",
          .layer = kConnect4,
          .action = action,
          .weight = weight,
          .conditions = std::move(conditions)};
}

Packet ToWeb() {
  return {.protocol = 6, .local = At("10.0.0.5", 50000), .remote = At("192.0.2.7", 443), .program = kOther};
}

bool Passes(const std::vector<Sublayer>& sublayers) {
  return JudgeLayer(sublayers, kConnect4, Phase::kEngineRuns, ToWeb()).passes;
}

TEST(Arbitration, WithoutAMatchThePacketPasses) {
  EXPECT_TRUE(Passes({}));
  EXPECT_TRUE(Passes({{"a", 1, {Rule(Action::kBlock, 1, {{Field::kProtocol, uint32_t{17}}})}}}));
}

TEST(Arbitration, WithinASublayerTheHighestWeightDecides) {
  EXPECT_TRUE(Passes({{"a", 1, {Rule(Action::kBlock, 1), Rule(Action::kPermit, 2)}}}));
  EXPECT_FALSE(Passes({{"a", 1, {Rule(Action::kBlock, 2), Rule(Action::kPermit, 1)}}}));
}

TEST(Arbitration, ABlockBelowOverridesAPermit) {
  EXPECT_FALSE(Passes({{"low", 1, {Rule(Action::kBlock, 1)}}, {"high", 2, {Rule(Action::kPermit, 1)}}}));
}

TEST(Arbitration, ABlockBelowDoesNotOverrideAHardPermit) {
  EXPECT_TRUE(Passes({{"low", 1, {Rule(Action::kBlock, 1)}}, {"high", 2, {Rule(Action::kHardPermit, 1)}}}));
}

TEST(Arbitration, AHardPermitBelowDoesNotOverrideABlock) {
  EXPECT_FALSE(Passes({{"low", 1, {Rule(Action::kHardPermit, 1)}}, {"high", 2, {Rule(Action::kBlock, 1)}}}));
}

TEST(Arbitration, ConditionsOnOneFieldAreAlternativesOthersMustAllHold) {
  const Filter filter = Rule(Action::kBlock, 1,
                             {{Field::kRemoteAddress, ParseNetwork("198.51.100.0/24").value()},
                              {Field::kRemoteAddress, ParseNetwork("192.0.2.0/24").value()},
                              {Field::kRemotePort, PortRange{.first = 400, .last = 500}}});
  EXPECT_TRUE(Matches(filter, ToWeb()));
  Packet other = ToWeb();
  other.remote.port = 80;
  EXPECT_FALSE(Matches(filter, other));
  other = ToWeb();
  other.remote.address = boost::asio::ip::make_address("203.0.113.1");
  EXPECT_FALSE(Matches(filter, other));
}

TEST(Arbitration, OnlyFiltersOfTheMomentCount) {
  Filter boot = Rule(Action::kBlock, 1);
  boot.lifetime = Lifetime::kBootTime;
  const std::vector<Sublayer> sublayers = {{"a", 1, {boot}}};
  EXPECT_FALSE(JudgeLayer(sublayers, kConnect4, Phase::kBeforeEngine, ToWeb()).passes);
  EXPECT_TRUE(JudgeLayer(sublayers, kConnect4, Phase::kEngineRuns, ToWeb()).passes);
}

TEST(Arbitration, ACalloutMakesTheAnswerUncertain) {
  const LayerVerdict verdict = JudgeLayer({{"a", 1, {Rule(Action::kUnknown, 9), Rule(Action::kPermit, 1)}}},
                                          kConnect4, Phase::kEngineRuns, ToWeb());
  EXPECT_TRUE(verdict.passes);
  EXPECT_FALSE(verdict.certain);
}

TEST(Arbitration, APacketMustPassEveryLayerOnItsWay) {
  Filter transport = Rule(Action::kBlock, 1);
  transport.layer = {Stage::kInTransport, false};
  const std::vector<Sublayer> sublayers = {{"a", 1, {transport}}};
  Packet packet = ToWeb();
  EXPECT_TRUE(Judge(sublayers, Phase::kEngineRuns, packet).passes);
  packet.way = FlowDirection::kIn;  // the reply
  EXPECT_FALSE(Judge(sublayers, Phase::kEngineRuns, packet).passes);
}

}  // namespace
}  // namespace cordon::platform::wfp
