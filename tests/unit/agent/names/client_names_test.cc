// Names where the system's DNS client is turned to the guard (Windows), and the packet filter is not asked
// to.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

#include "agent/names/name_service.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_connections.h"
#include "tests/fakes/fake_dns_client.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using ::boost::asio::ip::make_address;
using ::boost::asio::ip::udp;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const auto kGuard = make_address("127.67.79.53");           // NOLINT(cert-err58-cpp)
const Endpoint kResolver = {make_address("127.0.0.2"), 9};  // NOLINT(cert-err58-cpp): nobody answers

// "a.example", type A, class IN, id 7, recursion desired.
const std::string kQuestion("\0\7\1\0\0\1\0\0\0\0\0\0\1a\7example\0\0\1\0\1", 27);

class NamesWithAClient : public ::testing::Test {
 protected:
  static uint16_t FreePort() {
    boost::asio::io_context loop;
    boost::asio::ip::tcp::acceptor probe(loop, {kGuard, 0});
    return probe.local_endpoint().port();
  }

  static v1::IsolationState State(v1::Level level) {
    v1::IsolationState state;
    state.set_level(level);
    state.mutable_action()->mutable_profile()->add_allow()->add_names("pms.example.vet");
    return state;
  }

  // The code of the guard's answer; -1 when none comes.
  int CodeOfAnswer() {
    udp::socket socket(loop_, {make_address("127.0.0.1"), 0});
    socket.send_to(boost::asio::buffer(kQuestion), {kGuard, port_});
    std::array<char, 512> buffer{};
    int code = -1;
    socket.async_receive(boost::asio::buffer(buffer),
                         [&](const boost::system::error_code& error, size_t size) {
                           if (!error && size > 3) code = buffer[3] & 0xf;
                         });
    loop_.restart();
    loop_.run_for(std::chrono::milliseconds(300));
    return code;
  }

  boost::asio::io_context loop_;
  testing::FakeClock clock_;
  testing::FakeConnections connections_;
  testing::TempFolder folder_;
  const uint16_t port_ = FreePort();
  testing::FakeDnsClient client_{{kGuard}, port_};
  const std::unique_ptr<Names> names_ =
      MakeNameService({.loop = loop_,
                       .clock = clock_,
                       .connections = connections_,
                       .resolvers = [] { return std::vector<Endpoint>{kResolver}; },
                       .own_addresses = [] { return std::set<boost::asio::ip::address>(); },
                       .port_file = folder_ / "dns-guard.port",
                       .other_names = {},
                       .client = &client_});
};

TEST_F(NamesWithAClient, AtEssentialItAsksTheGuardAndGoesBackAtRelease) {
  names_->Begin(State(v1::LEVEL_ESSENTIAL));
  EXPECT_THAT(client_.Asked(), IsEmpty()) << "the filters first";
  ASSERT_TRUE(names_->Redirect().has_value());
  EXPECT_EQ(names_->Redirect()->guard_port, port_);
  EXPECT_THAT(names_->Redirect()->resolvers, ElementsAre(kResolver));
  names_->Settle();
  EXPECT_THAT(client_.Asked(), ElementsAre(kGuard));
  EXPECT_EQ(CodeOfAnswer(), 5) << "REFUSED: the name is not listed";
  names_->Begin(State(v1::LEVEL_OBSERVE));
  EXPECT_THAT(client_.Asked(), ElementsAre(kGuard)) << "until the filters are gone";
  names_->Settle();
  EXPECT_THAT(client_.Asked(), IsEmpty());
  EXPECT_FALSE(names_->Redirect().has_value());
  EXPECT_EQ(CodeOfAnswer(), -1);
}

TEST_F(NamesWithAClient, AtOtherLevelsItIsNotTurned) {
  for (const v1::Level level : {v1::LEVEL_NO_LATERAL, v1::LEVEL_CONTROLLER_ONLY, v1::LEVEL_DARK}) {
    names_->Begin(State(v1::LEVEL_ESSENTIAL));
    names_->Settle();
    ASSERT_THAT(client_.Asked(), ElementsAre(kGuard)) << "the positive control";
    names_->Begin(State(level));
    names_->Settle();
    EXPECT_THAT(client_.Asked(), IsEmpty()) << level;
  }
}

// The filters stay as the level says, and the agent itself may still ask.
TEST_F(NamesWithAClient, WithoutThePortTheAgentStillAsksTheResolversAndTheReceiptSaysWhy) {
  const udp::socket other(loop_, udp::endpoint(kGuard, port_));
  names_->Begin(State(v1::LEVEL_ESSENTIAL));
  names_->Settle();
  EXPECT_TRUE(names_->Redirect().has_value());
  EXPECT_THAT(client_.Asked(), IsEmpty());
  EXPECT_THAT(names_->Notes(), Contains(HasSubstr("cannot listen")));
}

TEST_F(NamesWithAClient, ISO5_AHostThatIsNotIsolatedLosesALeftRuleAtTheFirstTick) {
  ASSERT_TRUE(client_.Turn({kGuard}).ok());
  names_->Tick();
  EXPECT_THAT(client_.Asked(), IsEmpty());
}

}  // namespace
}  // namespace cordon::agent
