#include "agent/flows/connection_teller.h"

#include <gtest/gtest.h>

#include <string>

#include "common/base/strings.h"

namespace cordon::agent {
namespace {

using Kind = ToldConnections::Kind;

constexpr int64_t kHour = ToldConnections::kAgainNanos;

Kind To(const std::string& remote, uint16_t port, const std::string& who = "guid") {
  return {.who = who, .remote = boost::asio::ip::make_address(remote), .port = port};
}

TEST(ToldConnections, AKindIsToldAtOnceAndAgainAfterAnHourWithItsRepeats) {
  ToldConnections told;
  EXPECT_EQ(told.Note(To("10.2.0.9", 443), 1, 0), 1);
  EXPECT_EQ(told.Note(To("10.2.0.9", 443), 5, 60), std::nullopt);
  EXPECT_EQ(told.Note(To("10.2.0.9", 443), 2, kHour - 1), std::nullopt);
  EXPECT_EQ(told.Note(To("10.2.0.9", 443), 3, kHour), 10) << "seven since, and these three";
  EXPECT_EQ(told.Note(To("10.2.0.9", 443), 1, kHour + 1), std::nullopt);
}

TEST(ToldConnections, WhatIsFoundOpenIsToldOnceAndNotForGoingOn) {
  ToldConnections told;
  EXPECT_EQ(told.Note(To("10.2.0.9", 443), 0, 0), 1);
  EXPECT_EQ(told.Note(To("10.2.0.9", 443), 0, 2 * kHour), std::nullopt);
  EXPECT_EQ(told.Note(To("10.2.0.9", 443), 1, 2 * kHour), 1) << "a new one";
}

TEST(ToldConnections, EveryPartMakesAnotherKind) {
  ToldConnections told;
  Kind kind = To("10.2.0.9", 443);
  EXPECT_TRUE(told.Note(kind, 1, 0).has_value());
  kind.who = "another";
  EXPECT_TRUE(told.Note(kind, 1, 0).has_value());
  kind.direction = platform::FlowDirection::kIn;
  EXPECT_TRUE(told.Note(kind, 1, 0).has_value());
  kind.protocol = platform::FlowProtocol::kUdp;
  EXPECT_TRUE(told.Note(kind, 1, 0).has_value());
  kind.port = 444;
  EXPECT_TRUE(told.Note(kind, 1, 0).has_value());
  EXPECT_FALSE(told.Note(kind, 1, 0).has_value());
}

TEST(ToldConnections, ForgetsTheOneNotSeenForTheLongest) {
  ToldConnections told;
  for (size_t i = 0; i < ToldConnections::kMost; ++i) {
    EXPECT_TRUE(told.Note(To("10.2.0.9", 443, StrCat(i)), 1, 0).has_value());
  }
  EXPECT_FALSE(told.Note(To("10.2.0.9", 443, "0"), 1, 1).has_value()) << "seen again: it is not the oldest";
  EXPECT_TRUE(told.Note(To("10.2.0.9", 443, "new"), 1, 2).has_value());
  EXPECT_FALSE(told.Note(To("10.2.0.9", 443, "0"), 1, 3).has_value());
  EXPECT_TRUE(told.Note(To("10.2.0.9", 443, "1"), 1, 3).has_value()) << "was forgotten";
}

}  // namespace
}  // namespace cordon::agent
