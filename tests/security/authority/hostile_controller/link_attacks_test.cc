// The same controller on the wire (AUT-3): the agent's real link, mutual TLS, against a gateway that lies,
// drips, floods or is somebody else's.

#include <fstream>
#include <future>

#include "platform/api/system.h"
#include "tests/fakes/fake_spool.h"
#include "tests/integration/link/agent_loop.h"
#include "tests/security/authority/hostile_controller/victim.h"
#include "tests/support/relay.h"

namespace cordon::testing {
namespace {

using namespace std::chrono_literals;  // NOLINT: durations below
using agent::Link;

// What the link gives to the rest of the agent, given to the victim.
class VictimDesk final : public agent::LinkHandler {
 public:
  explicit VictimDesk(Victim& victim) : victim_(victim) {}
  v1::Hello MakeHello() override {
    v1::Hello hello;
    for (v1::LaneState& lane : victim_.Gate().Lanes()) *hello.add_lanes() = std::move(lane);
    hello.set_trust_version(victim_.Gate().TrustVersion());
    return hello;
  }
  v1::Heartbeat MakeHeartbeat() override { return {}; }
  void OnOrder(const v1::SignedOrder& order, const v1::AuditProof& audit) override {
    victim_.Hear(order, audit);
  }
  void OnHealthPoll(const v1::HealthPoll& /*poll*/) override {}
  void OnRehearsal(const v1::RehearsalRequest& /*request*/) override {}
  void OnControllerEndpoints(const std::vector<Endpoint>& /*endpoints*/) override {}
  void OnCertificateRenewed(int64_t /*not_after_unix_nanos*/) override {}

 private:
  Victim& victim_;
};

class HostileLink : public ::testing::Test {
 protected:
  HostileLink() {
    settings_.backoff = {.first = 20ms, .cap = 200ms};
    settings_.connect_timeout = 1s;
    settings_.shortest_heartbeat = 10ms;
    victim_.OnAnswer([this](const v1::OrderOutcome& outcome) {
      if (link_) link_->SendOutcome(outcome);
    });
    std::ofstream(folder_ / "file") << WriteEnrollmentFile(fleet_.MakeEnrollment(gateway_.Address()));
    state_ = Must(agent::Enroll(
        {.file = folder_ / "file", .state_dir = folder_.Path(), .facts = {}, .timeout = 5s}, *clock_));
  }
  ~HostileLink() override {
    std::promise<void> stopped;
    boost::asio::post(loop_.Get(), [&] { link_->Stop([&] { stopped.set_value(); }); });
    stopped.get_future().wait();
    OnLoop([this] { link_.reset(); });
  }

  void Dial(const std::vector<std::string>& controllers) {
    state_.controllers.clear();
    for (const std::string& one : controllers) state_.controllers.push_back(Must(ParseHostPort(one)));
    link_ = std::make_unique<Link>(
        Link::Parts{loop_.Get(), *clock_, desk_, sender_, folder_.Path(), {}, "boot"}, state_, settings_);
    Must(link_->Start());
  }
  bool Connected() {
    return Eventually([&] { return link_->State().serving && link_->Status().connected; });
  }
  void OnLoop(const std::function<void()>& work) {
    std::promise<void> done;
    boost::asio::post(loop_.Get(), [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  HostStanding Standing() {
    HostStanding standing;
    OnLoop([&] { standing = victim_.Standing(); });
    return standing;
  }
  void Send(const v1::SignedOrder& order) {
    v1::ControlResponse message;
    *message.mutable_order() = order;
    gateway_.Send(message);
  }
  // The positive control, over the wire and back.
  void ExpectObeys(v1::Level level) {
    const v1::Order order = make_.Isolate(level);
    Send(SignedBy(order, {&people_.alex}));
    EXPECT_TRUE(gateway_.WaitForMessage([&](const v1::ControlRequest& m) {
      return m.outcome().order_id() == order.order_id() &&
             m.outcome().state() == v1::OrderOutcome::STATE_DONE;
    }));
    EXPECT_EQ(Standing().level, level);
  }

  TestFleet fleet_;
  FakeGateway gateway_{fleet_};
  People people_;
  Victim victim_{people_.bundle};
  OrderMaker make_{victim_, people_};
  TempFolder folder_;
  std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  AgentLoop loop_;
  VictimDesk desk_{victim_};
  FakeSpool spool_;
  agent::TelemetrySender sender_{spool_, *clock_, agent::TelemetrySender::Window(), [] {}};
  agent::LinkSettings settings_;
  agent::HostState state_;
  std::unique_ptr<Link> link_;
};

TEST_F(HostileLink, AUT3_EndlessData) {
  Dial({gateway_.Address()});
  ASSERT_TRUE(Connected()) << link_->Status().last_error;
  ExpectObeys(v1::LEVEL_ESSENTIAL);
  const HostStanding before = Standing();
  v1::SignedOrder huge;
  huge.set_order(std::string(8 << 20, 'x'));
  Send(huge);
  EXPECT_TRUE(Eventually([&] { return link_->Status().last_error.contains("larger than max"); }))
      << link_->Status().last_error;
  ASSERT_TRUE(Connected()) << link_->Status().last_error;
  EXPECT_EQ(Standing(), before);

  constexpr int kFlood = 2'000;
  for (int i = 0; i < kFlood; ++i) Send(v1::SignedOrder());
  EXPECT_TRUE(Eventually([&] {
    uint64_t refused = 0;
    OnLoop([&] { refused = victim_.Refused(); });
    return refused >= kFlood;
  }));
  EXPECT_EQ(Standing(), before);
  ExpectObeys(v1::LEVEL_NO_LATERAL);
}

// Somebody else at the controller's address: with another CA, and, as a captured controller can, with the
// fleet's CA and another fleet's orders.
TEST_F(HostileLink, AUT3_MaliciousMirrors) {
  const TestFleet other;
  FakeGateway mirror(other);
  Dial({mirror.Address(), gateway_.Address()});
  ASSERT_TRUE(Connected()) << link_->Status().last_error;
  EXPECT_EQ(link_->Status().controller, gateway_.Address());
  EXPECT_EQ(mirror.Connections(), 0);
  EXPECT_TRUE(mirror.Received().empty());
  ExpectObeys(v1::LEVEL_ESSENTIAL);
  const HostStanding before = Standing();
  v1::Order foreign = make_.Release();
  foreign.set_fleet_id(other.FleetId());
  Send(SignedBy(foreign, {&people_.alex}));
  EXPECT_TRUE(gateway_.WaitForMessage([&](const v1::ControlRequest& m) {
    return m.outcome().order_id() == foreign.order_id() &&
           m.outcome().state() == v1::OrderOutcome::STATE_REFUSED &&
           m.outcome().message().contains("it is for fleet");
  }));
  EXPECT_EQ(Standing(), before);
  ExpectObeys(v1::LEVEL_NO_LATERAL);
}

// A mirror alone: no connection, and a sentence that says why.
TEST_F(HostileLink, AUT3_AMirrorWithAnotherCaIsNamed) {
  const TestFleet other;
  FakeGateway mirror(other);
  Dial({mirror.Address()});
  EXPECT_TRUE(Eventually([&] { return link_->Status().last_error.contains("certificate verify failed"); }))
      << link_->Status().last_error;
  EXPECT_EQ(mirror.Connections(), 0);
}

// A controller that takes the connection and lets nothing through: left in time, for the next one.
TEST_F(HostileLink, AUT3_SlowRetrieval) {
  Relay slow(static_cast<uint16_t>(gateway_.Port()));
  slow.Swallow();
  Dial({"127.0.0.1:" + std::to_string(slow.Port()), gateway_.Address()});
  // Whichever gives up first: the wait for a welcome, or gRPC's on the handshake.
  EXPECT_TRUE(Eventually([&] {
    const std::string error = link_->Status().last_error;
    return error.contains("no welcome within the time") || error.contains("Handshake read failed");
  })) << link_->Status().last_error;
  ASSERT_TRUE(Connected()) << link_->Status().last_error;
  EXPECT_EQ(link_->Status().controller, gateway_.Address());
  ExpectObeys(v1::LEVEL_ESSENTIAL);
  // One that goes silent in the middle of it.
  gateway_.SetHeartbeat(50ms, 300ms);
  OnLoop([this] { link_->Redial("the test"); });
  ASSERT_TRUE(Connected());
  gateway_.AnswerHeartbeats(false);
  EXPECT_TRUE(Eventually([&] { return link_->Status().last_error.contains("no answer to a heartbeat"); }))
      << link_->Status().last_error;
  gateway_.AnswerHeartbeats(true);
  ASSERT_TRUE(Connected()) << link_->Status().last_error;
  ExpectObeys(v1::LEVEL_NO_LATERAL);
}

}  // namespace
}  // namespace cordon::testing
