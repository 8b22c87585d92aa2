#include "agent/names/client_turn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

#include "common/base/clock.h"
#include "tests/fakes/fake_dns_client.h"
#include "tests/support/status_matchers.h"

namespace cordon::agent {
namespace {

using ::boost::asio::ip::make_address;
using ::boost::asio::ip::udp;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int64_t kLook = 10 * kNanosPerSecond;

// The two stand for 127.67.79.53 and ::1 of Windows; every address of 127.0.0.0/8 is there on both systems.
const auto kFirst = make_address("127.67.79.53");   // NOLINT(cert-err58-cpp)
const auto kSecond = make_address("127.67.79.54");  // NOLINT(cert-err58-cpp)

class ClientTurnTest : public ::testing::Test {
 protected:
  static uint16_t FreePort() {
    boost::asio::io_context loop;
    boost::asio::ip::tcp::acceptor probe(loop, {kFirst, 0});
    return probe.local_endpoint().port();
  }
  // A query of one byte to where the guard should listen is answered by its handler.
  bool Answers(const boost::asio::ip::address& at) {
    udp::socket socket(loop_, {make_address("127.0.0.1"), 0});
    socket.send_to(boost::asio::buffer("?", 1), {at, port_});
    queries_ = 0;
    loop_.restart();
    loop_.run_for(std::chrono::milliseconds(200));
    return queries_ == 1;
  }

  boost::asio::io_context loop_;
  int queries_ = 0;
  GuardServer server_{loop_, [this](const std::string&, bool, const GuardServer::Reply&) { ++queries_; }};
  const uint16_t port_ = FreePort();
  testing::FakeDnsClient client_{{kFirst, kSecond}, port_};
  ClientTurn turn_{&client_, server_};
};

TEST_F(ClientTurnTest, TurnsTheClientToWhereTheGuardListensAndBack) {
  turn_.Listen();
  EXPECT_THAT(client_.Asked(), IsEmpty()) << "not before the level is in force";
  turn_.Settle(true, 1);
  EXPECT_THAT(client_.Asked(), ElementsAre(kFirst, kSecond));
  EXPECT_TRUE(Answers(kFirst));
  EXPECT_TRUE(Answers(kSecond));
  EXPECT_THAT(turn_.Notes(), IsEmpty());
  server_.Close();
  turn_.Settle(false, 2);
  EXPECT_THAT(client_.Asked(), IsEmpty());
  EXPECT_FALSE(Answers(kFirst));
}

TEST_F(ClientTurnTest, OneAddressThatAnotherProgramHoldsIsLeftOutUntilItIsFree) {
  auto other = std::make_unique<udp::socket>(loop_, udp::endpoint(kFirst, port_));
  turn_.Listen();
  turn_.Settle(true, 1);
  EXPECT_THAT(client_.Asked(), ElementsAre(kSecond));
  EXPECT_TRUE(Answers(kSecond));
  other.reset();
  turn_.Tick(true, 1 + kLook);
  EXPECT_THAT(client_.Asked(), ElementsAre(kFirst, kSecond));
  EXPECT_TRUE(Answers(kFirst));
}

// Whoever holds the port would be asked instead.
TEST_F(ClientTurnTest, WithoutAPortTheClientIsNotTurnedAndTheNoteNamesTheAddresses) {
  auto first = std::make_unique<udp::socket>(loop_, udp::endpoint(kFirst, port_));
  auto second = std::make_unique<udp::socket>(loop_, udp::endpoint(kSecond, port_));
  turn_.Listen();
  turn_.Settle(true, 1);
  EXPECT_THAT(client_.Asked(), IsEmpty());
  ASSERT_THAT(turn_.Notes(), SizeIs(1));
  EXPECT_THAT(turn_.Notes()[0], HasSubstr("127.67.79.53"));
  first.reset();
  turn_.Tick(true, 1 + kLook);
  EXPECT_THAT(client_.Asked(), ElementsAre(kFirst));
  EXPECT_THAT(turn_.Notes(), IsEmpty());
}

TEST_F(ClientTurnTest, ISO5_WhatAKilledAgentLeftGoesAtTheFirstTick) {
  ASSERT_THAT(client_.Turn({kFirst}), testing::IsOk());
  turn_.Tick(false, 1);
  EXPECT_THAT(client_.Asked(), IsEmpty());
}

TEST_F(ClientTurnTest, ALostRuleIsPutBackWithinTenSecondsAndNotLookedForAllTheTime) {
  turn_.Listen();
  turn_.Settle(true, 1);
  client_.Lose();
  const int calls = client_.Calls();
  turn_.Tick(true, kLook);
  EXPECT_EQ(client_.Calls(), calls);
  turn_.Tick(true, 1 + kLook);
  EXPECT_THAT(client_.Asked(), ElementsAre(kFirst, kSecond));
}

TEST_F(ClientTurnTest, WhatFailsIsANoteAndTriedAgainAlsoAfterTheRelease) {
  turn_.Listen();
  client_.Fail(absl::PermissionDeniedError("the registry is shut"));
  turn_.Settle(true, 1);
  EXPECT_THAT(turn_.Notes(), ElementsAre(HasSubstr("registry is shut")));
  client_.Fail(absl::OkStatus());
  turn_.Tick(true, 1 + kLook);
  EXPECT_THAT(turn_.Notes(), IsEmpty());
  client_.Fail(absl::PermissionDeniedError("the registry is shut"));
  turn_.Settle(false, 2 + kLook);
  EXPECT_THAT(turn_.Notes(), ElementsAre(HasSubstr("registry is shut"))) << "programs resolve nothing now";
  client_.Fail(absl::OkStatus());
  turn_.Tick(false, 2 + 2 * kLook);
  EXPECT_THAT(client_.Asked(), IsEmpty());
  EXPECT_THAT(turn_.Notes(), IsEmpty());
}

TEST_F(ClientTurnTest, ObstaclesAreNotesWhileTheGuardIsWanted) {
  client_.Obstruct("group policy has a table of its own");
  turn_.Listen();
  turn_.Settle(true, 1);
  EXPECT_THAT(turn_.Notes(), ElementsAre(HasSubstr("group policy")));
  turn_.Settle(false, 2);
  EXPECT_THAT(turn_.Notes(), IsEmpty());
}

TEST_F(ClientTurnTest, WithoutAClientNothingHappens) {
  ClientTurn none(nullptr, server_);
  EXPECT_FALSE(none.Exists());
  none.Listen();
  none.Settle(true, 1);
  none.Tick(true, 1 + kLook);
  EXPECT_EQ(server_.Port(), 0);
  EXPECT_THAT(none.Notes(), IsEmpty());
}

}  // namespace
}  // namespace cordon::agent
