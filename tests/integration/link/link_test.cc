#include "agent/link/link.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "common/crypto/x509.h"
#include "platform/linux/system/agent_mark.h"
#include "tests/fakes/fake_spool.h"
#include "tests/fakes/shifted_clock.h"
#include "tests/integration/link/agent_loop.h"
#include "tests/support/relay.h"

namespace cordon::agent {
namespace {

using namespace std::chrono_literals;  // NOLINT: durations below
using testing::AgentLoop;
using testing::Eventually;
using testing::FakeGateway;
using testing::FakeSpool;
using testing::Must;
using testing::RecordingHandler;
using testing::Relay;
using testing::TempFolder;
using testing::TestFleet;

class LinkTest : public ::testing::Test {
 protected:
  LinkTest() : gateway_(fleet_) {
    settings_.backoff = {.first = 20ms, .cap = 200ms};
    settings_.connect_timeout = 3s;
    settings_.shortest_heartbeat = 10ms;
    settings_.renewal_check = 50ms;
  }

  ~LinkTest() override { StopLink(); }

  // Enrols by `controller` and starts a link.
  void Enrol(const std::string& controller) {
    std::ofstream(folder_ / "file") << WriteEnrollmentFile(fleet_.MakeEnrollment(gateway_.Address()));
    state_ = Must(
        Enroll({.file = folder_ / "file", .state_dir = folder_.Path(), .facts = {}, .timeout = 5s}, *clock_));
    state_.controllers = {Must(ParseHostPort(controller))};
  }
  void StartLink() {
    link_ = std::make_unique<Link>(
        Link::Parts{loop_.Get(), *clock_, handler_, sender_, folder_.Path(), {}, "boot"}, state_, settings_);
    Must(link_->Start());
  }
  void Connect(const std::string& controller) {
    Enrol(controller);
    StartLink();
    ASSERT_TRUE(Eventually([&] { return link_->State().serving; })) << link_->Status().last_error;
  }
  void AddBatches(int count) {
    spool_.Fill(count);
    boost::asio::post(loop_.Get(), [this] { sender_.OnNewBatches(); });
  }
  void StopLink() {
    if (!link_) return;
    std::promise<void> stopped;
    boost::asio::post(loop_.Get(), [&] { link_->Stop([&] { stopped.set_value(); }); });
    stopped.get_future().wait();
    link_.reset();
  }

  TestFleet fleet_;
  FakeGateway gateway_;
  TempFolder folder_;
  std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  testing::ShiftedClock shifted_;
  AgentLoop loop_;
  RecordingHandler handler_;
  FakeSpool spool_;
  TelemetrySender sender_{spool_, *clock_, TelemetrySender::Window(), [] {}};
  LinkSettings settings_;
  HostState state_;
  std::unique_ptr<Link> link_;
};

TEST_F(LinkTest, GreetsAndBeats) {
  Connect(gateway_.Address());
  EXPECT_TRUE(gateway_.WaitForMessage(
      [](const auto& m) { return m.has_hello() && !m.hello().session_id().empty(); }));
  EXPECT_TRUE(
      gateway_.WaitForMessage([](const auto& m) { return m.has_heartbeat() && m.heartbeat().id() >= 3; }));
  EXPECT_THAT(link_->Status().controller, gateway_.Address());
}

// The agent starts before the network does, and laptops move.
TEST_F(LinkTest, SaysInEachHelloWhereTheHostIsNow) {
  const auto says = [&](const std::string& address) {
    return gateway_.WaitForMessage([&](const auto& m) {
      const v1::HostFacts& facts = m.hello().facts();
      return facts.host_name() == "vet-7" && facts.addresses_size() == 1 && facts.addresses(0) == address;
    });
  };
  Enrol(gateway_.Address());
  v1::HostFacts at_start;
  at_start.set_host_name("vet-7");
  at_start.add_addresses("192.0.2.1");
  link_ = std::make_unique<Link>(
      Link::Parts{loop_.Get(), *clock_, handler_, sender_, folder_.Path(), at_start, "boot"}, state_,
      settings_);
  Must(link_->Start());
  EXPECT_TRUE(says("192.0.2.1")) << "nothing newer is known";
  ASSERT_TRUE(Eventually([&] { return link_->State().serving; })) << link_->Status().last_error;
  handler_.MovesTo("198.51.100.9");
  link_->Redial("another network");
  EXPECT_TRUE(says("198.51.100.9"));
}

TEST_F(LinkTest, OrdersAndPollsReachTheHandlerAndAnswersGoUp) {
  Connect(gateway_.Address());
  v1::ControlResponse order;
  order.mutable_order()->set_order("signed bytes");
  gateway_.Send(order);
  v1::ControlResponse poll;
  poll.mutable_health_poll()->set_poll_id(7);
  gateway_.Send(poll);
  ASSERT_TRUE(Eventually([&] { return handler_.Orders().size() == 1 && handler_.Polls().size() == 1; }));
  EXPECT_EQ(handler_.Orders()[0].order(), "signed bytes");

  v1::HealthAnswer answer;
  answer.set_poll_id(7);
  link_->SendHealth(answer);
  v1::OrderOutcome outcome;
  outcome.set_order_id("o1");
  link_->SendOutcome(outcome);
  EXPECT_TRUE(gateway_.WaitForMessage([](const auto& m) { return m.health().poll_id() == 7; }));
  EXPECT_TRUE(gateway_.WaitForMessage([](const auto& m) { return m.outcome().order_id() == "o1"; }));
}

TEST_F(LinkTest, SaysWhenTheControllerHasKeptAnOutcome) {
  Connect(gateway_.Address());
  const auto deliver = [&](const std::string& order_id, std::chrono::nanoseconds deadline) {
    const auto kept = std::make_shared<std::promise<bool>>();
    v1::OrderOutcome outcome;
    outcome.set_order_id(order_id);
    link_->Deliver(outcome, deadline, [kept](bool answer) { kept->set_value(answer); });
    return kept->get_future().get();
  };
  EXPECT_TRUE(deliver("last word", 10s));
  const auto received = gateway_.Received();
  const auto at = std::ranges::find_if(
      received, [](const auto& message) { return message.outcome().order_id() == "last word"; });
  ASSERT_NE(at, received.end());
  EXPECT_TRUE(std::any_of(at, received.end(), [](const auto& message) { return message.has_heartbeat(); }))
      << "the beat that was answered came behind it";
  gateway_.AnswerHeartbeats(false);
  EXPECT_FALSE(deliver("unanswered", 100ms));
  gateway_.Stop();
  ASSERT_TRUE(Eventually([&] { return !link_->Status().connected; }));
  EXPECT_FALSE(deliver("while away", 10s)) << "at once";
}

TEST_F(LinkTest, ComesBackWhenTheControllerIsKilledAndStartedAgain) {
  Connect(gateway_.Address());
  gateway_.Stop();
  ASSERT_TRUE(Eventually([&] { return !link_->Status().connected; }));
  EXPECT_NE(link_->Status().last_error, "");
  v1::OrderOutcome outcome;
  outcome.set_order_id("while away");
  link_->SendOutcome(outcome);
  gateway_.Start();
  ASSERT_TRUE(Eventually([&] { return link_->State().serving && link_->Status().connected; }));
  EXPECT_TRUE(gateway_.WaitForMessage([](const auto& m) { return m.outcome().order_id() == "while away"; }));

  std::set<std::string> sessions;
  for (const auto& message : gateway_.Received()) {
    if (message.has_hello()) sessions.insert(message.hello().session_id());
  }
  EXPECT_EQ(sessions.size(), 1U) << "a reconnect is the same run of the agent, no clone";
}

// gRPC inflates a message before it looks at its size.
TEST_F(LinkTest, AUT6_WhatAControllerCompressedIsNotInflated) {
  Connect(gateway_.Address());  // the positive control
  gateway_.Stop();
  gateway_.CompressAnswers(true);
  gateway_.Start();
  EXPECT_TRUE(Eventually([&] { return link_->Status().last_error.find("ompression") != std::string::npos; }))
      << link_->Status().last_error;
  EXPECT_FALSE(link_->State().serving);
  gateway_.Stop();
  gateway_.CompressAnswers(false);
  gateway_.Start();
  EXPECT_TRUE(Eventually([&] { return link_->State().serving; })) << link_->Status().last_error;
}

TEST_F(LinkTest, TheNextControllerIsTriedWhenOneIsDown) {
  Enrol(gateway_.Address());
  state_.controllers.insert(state_.controllers.begin(), {{"127.0.0.1", 1}, {"127.0.0.1", 2}});
  StartLink();
  ASSERT_TRUE(Eventually([&] { return link_->State().serving; })) << link_->Status().last_error;
  EXPECT_EQ(link_->Status().controller, gateway_.Address());
}

TEST_F(LinkTest, ABlackHoleIsNoticedByTheHeartbeatsDeadline) {
  settings_.keepalive_interval = 1h;  // so that it is not HTTP/2's keepalive that notices
  Relay relay(static_cast<uint16_t>(gateway_.Port()));
  gateway_.SetHeartbeat(50ms, 500ms);
  Connect("127.0.0.1:" + std::to_string(relay.Port()));
  relay.Swallow();
  ASSERT_TRUE(Eventually([&] { return !link_->Status().connected; }));
  EXPECT_THAT(link_->Status().last_error, ::testing::HasSubstr("heartbeat"));
  relay.Restore();
  EXPECT_TRUE(Eventually([&] { return link_->Status().connected; }));
}

TEST_F(LinkTest, AControllerThatDoesNotAnswerHeartbeatsIsLeft) {
  gateway_.SetHeartbeat(50ms, 300ms);
  Connect(gateway_.Address());
  const size_t before = gateway_.CertificatesSeen().size();
  gateway_.AnswerHeartbeats(false);
  EXPECT_TRUE(gateway_.WaitUntil([&](const auto& g) { return g.CertificatesSeen().size() > before; }));
  gateway_.AnswerHeartbeats(true);
  EXPECT_TRUE(Eventually([&] { return link_->Status().connected; }));
}

TEST_F(LinkTest, ISO4_AProbeTellsALiveControllerFromADeadOne) {
  Relay relay(static_cast<uint16_t>(gateway_.Port()));
  Connect("127.0.0.1:" + std::to_string(relay.Port()));
  const auto probe = [&](std::chrono::nanoseconds deadline) {
    std::promise<bool> answered;
    link_->Probe(deadline, [&](bool yes) { answered.set_value(yes); });
    return answered.get_future().get();
  };
  EXPECT_TRUE(probe(5s));
  relay.Swallow();
  EXPECT_FALSE(probe(300ms));
}

TEST_F(LinkTest, AUT1_RenewsItsCertificateAtHalfLifeWithoutAGap) {
  gateway_.SetCertificateLife(3s);  // and 5 s lie behind already: due at once
  Connect(gateway_.Address());
  gateway_.SetCertificateLife(10h);
  ASSERT_TRUE(Eventually([&] { return handler_.Renewals().size() == 1; }));
  ASSERT_TRUE(gateway_.WaitUntil([](const auto& g) { return g.CertificatesSeen().size() == 2; }));
  ASSERT_TRUE(gateway_.WaitUntil([](const auto& g) { return g.Connections() == 1; }));
  EXPECT_TRUE(link_->Status().connected);
  EXPECT_EQ(link_->Status().last_error, "") << "the old connection went without an error";

  const HostState stored = Must(LoadHostState(folder_.Path()));
  EXPECT_NE(stored.credentials.key_pem, state_.credentials.key_pem) << "a new key";
  EXPECT_EQ(stored.identity.host_id, state_.identity.host_id);
  EXPECT_EQ(Must(ReadCertificate(stored.credentials.certificate_pem)).serial_hex,
            gateway_.CertificatesSeen().back());
}

// The new connection's beats are counted anew: they say nothing of what the old one carried.
TEST_F(LinkTest, AnOutcomeIsDeliveredAgainOnTheConnectionThatTakesOver) {
  const auto arrived = [](const FakeGateway& gateway) {
    const auto received = gateway.Received();
    const auto at = std::ranges::find_if(
        received, [](const auto& message) { return message.outcome().order_id() == "last word"; });
    return std::any_of(at, received.end(), [](const auto& message) { return message.has_heartbeat(); });
  };
  const auto beats = [](const FakeGateway& gateway) {
    return std::ranges::count_if(gateway.Received(), [](const auto& m) { return m.has_heartbeat(); });
  };
  gateway_.SetHeartbeat(20ms, 60s);
  Enrol(gateway_.Address());
  link_ = std::make_unique<Link>(
      Link::Parts{loop_.Get(), shifted_, handler_, sender_, folder_.Path(), {}, "boot"}, state_, settings_);
  Must(link_->Start());
  ASSERT_TRUE(Eventually([&] { return link_->State().serving; })) << link_->Status().last_error;
  gateway_.AnswerHeartbeats(false);
  const auto answered = beats(gateway_);
  ASSERT_TRUE(gateway_.WaitUntil([&](const auto& g) { return beats(g) > answered; }))
      << "no other one follows while this one waits";
  const auto kept = std::make_shared<std::promise<bool>>();
  v1::OrderOutcome outcome;
  outcome.set_order_id("last word");
  link_->Deliver(outcome, 60s, [kept](bool answer) { kept->set_value(answer); });
  ASSERT_TRUE(gateway_.WaitUntil(arrived)) << "the outcome, and the beat behind it";
  gateway_.AnswerHeartbeats(true);
  shifted_.Advance(6LL * 3600 * kNanosPerSecond);  // of the certificate's ten hours
  EXPECT_TRUE(kept->get_future().get());
  EXPECT_GE(handler_.Renewals().size(), 1U)
      << "not for another reason; the gateway's certificates are renewed again and again";
  EXPECT_GE(std::ranges::count_if(gateway_.Received(),
                                  [](const auto& m) { return m.outcome().order_id() == "last word"; }),
            2)
      << "the old connection's beats prove nothing on the new one";
  EXPECT_TRUE(link_->Status().connected);
}

TEST_F(LinkTest, TEL2_BatchesAreSentAgainFromTheAcknowledgedPosition) {
  spool_.Fill(3);
  Connect(gateway_.Address());
  ASSERT_TRUE(gateway_.WaitUntil([&](const auto&) { return spool_.Acknowledged() == 3; }));

  gateway_.Acknowledge(false);
  AddBatches(4);
  ASSERT_TRUE(gateway_.WaitUntil([](const auto& g) { return g.Batches().size() == 7; }));
  gateway_.Stop();
  ASSERT_TRUE(Eventually([&] { return !link_->Status().connected; }));
  AddBatches(2);
  gateway_.Acknowledge(true);
  gateway_.Start();
  ASSERT_TRUE(gateway_.WaitUntil([&](const auto&) { return spool_.Acknowledged() == 9; }));

  std::vector<uint64_t> sequences;
  for (const v1::Batch& batch : gateway_.Batches()) sequences.push_back(batch.first_sequence());
  EXPECT_THAT(sequences, ::testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7, 8, 9));
}

TEST_F(LinkTest, ARefusedBatchBreaksTheTelemetryStreamAndNothingElse) {
  gateway_.Acknowledge(false);
  Connect(gateway_.Address());
  gateway_.RefuseBatches(true);
  AddBatches(1);
  ASSERT_TRUE(gateway_.WaitUntil([](const auto& g) { return g.Batches().size() >= 2; }))
      << "it is tried again";
  EXPECT_TRUE(link_->Status().connected);
  EXPECT_EQ(gateway_.CertificatesSeen().size(), 1U);
  gateway_.RefuseBatches(false);
  gateway_.Acknowledge(true);
  EXPECT_TRUE(gateway_.WaitUntil([&](const auto&) { return spool_.Acknowledged() == 1; }));
}

TEST_F(LinkTest, ANameIsResolvedAndItsAddressSurvivesDnsBeingCut) {
  const std::string name = "controller.test:" + std::to_string(gateway_.Port());
  settings_.lookup = [](const std::string&) -> absl::StatusOr<std::vector<boost::asio::ip::address>> {
    return std::vector{boost::asio::ip::make_address("127.0.0.1")};
  };
  Connect(name);
  ASSERT_FALSE(handler_.Endpoints().empty());
  EXPECT_EQ(FormatEndpoint(handler_.Endpoints().back().at(0)), gateway_.Address());
  StopLink();

  settings_.lookup = [](const std::string&) -> absl::StatusOr<std::vector<boost::asio::ip::address>> {
    return absl::UnavailableError("DNS is cut");
  };
  StartLink();
  EXPECT_TRUE(Eventually([&] { return link_->State().serving; })) << link_->Status().last_error;
}

TEST_F(LinkTest, ANameThatTheCertificateDoesNotCarryIsRefused) {
  settings_.lookup = [](const std::string&) -> absl::StatusOr<std::vector<boost::asio::ip::address>> {
    return std::vector{boost::asio::ip::make_address("127.0.0.1")};
  };
  Enrol("impostor.test:" + std::to_string(gateway_.Port()));
  StartLink();
  ASSERT_TRUE(Eventually([&] { return link_->Status().last_error.contains("impostor.test"); }))
      << link_->Status().last_error;
  EXPECT_EQ(gateway_.Connections(), 0);
}

// The marks of this process's sockets that are connected to `port`.
std::vector<uint32_t> MarksOfSocketsTo(int port) {
  std::vector<uint32_t> marks;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename().string());
    sockaddr_in peer{};
    socklen_t size = sizeof(peer);
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || ntohs(peer.sin_port) != port)
      continue;
    uint32_t mark = 0;
    size = sizeof(mark);
    if (getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &size) == 0) marks.push_back(mark);
  }
  return marks;
}

TEST_F(LinkTest, EverySocketCarriesTheAgentsTag) {
  Connect(gateway_.Address());
  EXPECT_THAT(MarksOfSocketsTo(gateway_.Port()), ::testing::ElementsAre(platform::kAgentSocketMark));
}

TEST_F(LinkTest, StopsWhileDiallingAndWhileConnected) {
  Enrol("127.0.0.1:1");
  StartLink();
  ASSERT_TRUE(Eventually([&] { return !link_->Status().last_error.empty(); }));
  StopLink();
  state_.controllers = {Must(ParseHostPort(gateway_.Address()))};
  StartLink();
  ASSERT_TRUE(Eventually([&] { return link_->State().serving; }));
  StopLink();
  EXPECT_TRUE(gateway_.WaitUntil([](const auto& g) { return g.Connections() == 0; }));
}

}  // namespace
}  // namespace cordon::agent
