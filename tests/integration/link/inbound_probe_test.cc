// Inbound probes over the real link (ISO-7): what counts as the controller's packet, and what does not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <fstream>

#include "agent/app/link_inbound_probe.h"
#include "tests/fakes/fake_spool.h"
#include "tests/integration/link/agent_loop.h"

namespace cordon::agent {
namespace {

using namespace std::chrono_literals;  // NOLINT: durations below
using testing::Eventually;
using testing::FakeGateway;
using testing::Must;
namespace ip = boost::asio::ip;
using Outcome = InboundProbe::Result::Outcome;

class InboundProbeTest : public ::testing::Test {
 protected:
  InboundProbeTest() : gateway_(fleet_), probe_(loop_.Get()) {
    std::ofstream(folder_ / "file") << WriteEnrollmentFile(fleet_.MakeEnrollment(gateway_.Address()));
    const HostState state = Must(
        Enroll({.file = folder_ / "file", .state_dir = folder_.Path(), .facts = {}, .timeout = 5s}, *clock_));
    link_ = std::make_unique<Link>(
        Link::Parts{loop_.Get(), *clock_, handler_, sender_, folder_.Path(), {}, "boot"}, state,
        LinkSettings());
    Must(link_->Start());
  }
  ~InboundProbeTest() override {
    std::promise<void> stopped;
    boost::asio::post(loop_.Get(), [&] {
      probe_.Stop();
      link_->Stop([&] { stopped.set_value(); });
    });
    stopped.get_future().wait();
  }

  // Asks the controller for a connection, up to when it has been asked.
  void Ask() {
    ASSERT_TRUE(Eventually([&] { return link_->Status().connected; }));
    boost::asio::post(loop_.Get(), [this] {
      probe_.Use(link_.get());
      probe_.Try({}, [this](const InboundProbe::Result& result) { outcome_.set_value(result.outcome); });
    });
    ASSERT_TRUE(gateway_.WaitForMessage([&](const auto& message) {
      if (message.has_inbound_probe()) request_ = message.inbound_probe();
      return message.has_inbound_probe();
    }));
  }
  // The controller says that it has sent it.
  void SaySent() {
    v1::InboundProbeSent sent;
    sent.set_probe_id(request_.probe_id());
    boost::asio::post(loop_.Get(), [this, sent] { probe_.OnSent(sent); });
  }
  ip::tcp::socket ConnectFrom(const char* address) {
    ip::tcp::socket socket(io_);
    socket.open(ip::tcp::v4());
    socket.bind({ip::make_address(address), 0});
    socket.connect({ip::make_address("127.0.0.1"), static_cast<uint16_t>(request_.port())});
    return socket;
  }

  testing::TestFleet fleet_;
  FakeGateway gateway_;  // at 127.0.0.1
  testing::TempFolder folder_;
  const std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  testing::FakeSpool spool_;
  TelemetrySender sender_{spool_, *clock_, TelemetrySender::Window(), [] {}};
  testing::RecordingHandler handler_;
  std::promise<Outcome> outcome_;
  testing::AgentLoop loop_;
  LinkInboundProbe probe_;
  std::unique_ptr<Link> link_;
  v1::InboundProbeRequest request_;
  boost::asio::io_context io_;
};

TEST_F(InboundProbeTest, ISO7_AStrangersConnectionIsNotTheControllers) {
  Ask();
  std::vector<ip::tcp::socket> scan;
  for (int i = 0; i < 20; ++i) scan.push_back(ConnectFrom("127.0.0.2"));
  boost::asio::write(scan.back(), boost::asio::buffer(std::string(16, 'x')));
  SaySent();
  EXPECT_EQ(outcome_.get_future().get(), Outcome::kDidNotArrive);
}

TEST_F(InboundProbeTest, ISO7_OneFromTheControllersAddressIs) {
  Ask();
  const ip::tcp::socket stranger = ConnectFrom("127.0.0.2");
  const ip::tcp::socket connection = ConnectFrom("127.0.0.1");
  EXPECT_EQ(outcome_.get_future().get(), Outcome::kArrived);
}

TEST_F(InboundProbeTest, ISO7_OneThatSaysTheNonceIsWhereverItComesFrom) {
  Ask();
  ip::tcp::socket connection = ConnectFrom("127.0.0.2");
  boost::asio::write(connection, boost::asio::buffer(request_.nonce()));
  EXPECT_EQ(outcome_.get_future().get(), Outcome::kArrived);
}

}  // namespace
}  // namespace cordon::agent
