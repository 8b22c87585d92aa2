#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "controller/fleet_sim/fleet.h"
#include "tests/integration/link/fake_gateway.h"
#include "tests/support/fleet.h"
#include "tests/support/test_orders.h"

namespace cordon::fleet_sim {
namespace {

class FleetSim : public ::testing::Test {
 protected:
  std::unique_ptr<Fleet> Connected(uint32_t hosts) {
    auto fleet = testing::Must(Fleet::Enroll(fleet_.MakeEnrollment(gateway_.Address()), {.hosts = hosts}));
    testing::Must(fleet->Connect(std::chrono::seconds(20)));
    return fleet;
  }

  testing::TestFleet fleet_;
  testing::FakeGateway gateway_{fleet_};
};

TEST_F(FleetSim, EnrollsEveryHostWithACertificateOfItsOwn) {
  const auto fleet = Connected(20);
  EXPECT_EQ(fleet->Seen().connected, 20U);
  const std::vector<std::string> serials = gateway_.CertificatesSeen();
  EXPECT_EQ(std::set<std::string>(serials.begin(), serials.end()).size(), 20U);
}

TEST_F(FleetSim, AnswersOrdersWithReceiptsThatClaimNothing) {
  const auto fleet = Connected(5);
  v1::ControlResponse message;
  message.mutable_order()->set_order(
      testing::IsolateOrder(fleet_.FleetId(), v1::LEVEL_DARK).SerializeAsString());
  gateway_.Send(message);
  const auto outcomes = [](const testing::FakeGateway& gateway) {
    const std::vector<v1::ControlRequest> all = gateway.Received();
    return std::ranges::count_if(all, [](const v1::ControlRequest& request) {
      return request.outcome().state() == v1::OrderOutcome::STATE_DONE &&
             request.outcome().receipt().containment() == v1::CONTAINMENT_OPEN &&
             request.outcome().receipt().reasons_size() == 1;
    });
  };
  EXPECT_TRUE(
      gateway_.WaitUntil([&](const testing::FakeGateway& gateway) { return outcomes(gateway) == 5; }));
}

TEST_F(FleetSim, BeatsAndAnswersHealthPolls) {
  const auto fleet = Connected(3);
  fleet->Beat();
  EXPECT_TRUE(testing::Eventually([&] { return fleet->Seen().beats == 3; }));
  v1::ControlResponse poll;
  poll.mutable_health_poll()->set_poll_id(7);
  gateway_.Send(poll);
  EXPECT_TRUE(gateway_.WaitForMessage([](const v1::ControlRequest& request) {
    return request.has_health() && request.health().poll_id() == 7;
  }));
}

TEST_F(FleetSim, SaysWhenTheControllerGoesAway) {
  const auto fleet = Connected(3);
  gateway_.Stop();
  EXPECT_TRUE(testing::Eventually([&] { return fleet->Seen().ended == 3 && fleet->Seen().connected == 0; }));
}

}  // namespace
}  // namespace cordon::fleet_sim
