// The real cordon-keeper in a network namespace: what the boot unit starts before the network, and what stays
// when no agent runs. Only isolation.state is there: no agent, no certificate, no controller.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "agent/isolation/isolation_lock.h"
#include "agent/isolation/policy.h"
#include "agent/isolation/recovery.h"
#include "agent/isolation/state.h"
#include "agent/isolation/state_file.h"
#include "cordon/v1/gateway.pb.h"
#include "platform/api/system.h"
#include "platform/linux/system/agent_mark.h"
#include "tests/support/actions.h"
#include "tests/support/build_paths.h"
#include "tests/support/fleet.h"
#include "tests/support/temp_folder.h"
#include "tests/support/traffic.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

class KeeperTest : public ::testing::Test {
 protected:
  // On disk, as an agent leaves it.
  void Save(const v1::IsolateAction& action, int64_t lease_elapsed_nanos = 0) {
    v1::IsolationState state;
    state.set_order_id("order-1");
    state.set_sequence(1);
    *state.mutable_action() = action;
    state.set_level(action.level());
    agent::StartLease(&state, platform::ReadSystemFacts().boot_id, *platform::MakeSystemClock());
    state.set_lease_elapsed_nanos(lease_elapsed_nanos);
    ASSERT_TRUE(agent::StateFile(folder_ / "isolation.state").Save(state).ok());
  }
  v1::IsolationState Saved() const { return agent::LoadState(folder_ / "isolation.state").value(); }

  std::vector<std::string> Command(std::vector<std::string> args) const {
    args.insert(args.begin(), {Fleet::Program("cordon-keeper"), "--state", folder_.Path().string()});
    return args;
  }
  CommandResult Once() const { return RunCommand(Command({"--once"}), {.net_namespace = host_.Name()}); }
  void Start() {
    keeper_ = std::make_unique<Subprocess>(Command({}), SubprocessOptions{.net_namespace = host_.Name()});
    ASSERT_TRUE(keeper_->WaitForErrors("the saved state is in force")) << keeper_->Errors();
  }

  // Whether the kernel holds what `level` asks for on every interface that is there now.
  bool Holds(platform::Level level, const std::vector<Endpoint>& controllers = {}) const {
    const InNetNamespace inside(host_);
    platform::FilterPolicy policy{.level = level, .controllers = controllers};
    const auto readback = platform::MakePacketFilter()->ReadBack(policy);
    return readback.ok() && readback->matches;
  }

  void Connect() { ConnectByVeth({host_, "lan0", {"10.77.0.10/24"}}, {peer_, "lan0", {"10.77.0.66/24"}}); }
  bool Leaves(std::chrono::milliseconds patience) const {
    return UdpArrives(host_, {peer_, "10.77.0.66", 4444}, patience);
  }
  bool Enters(std::chrono::milliseconds patience) const {
    return UdpArrives(peer_, {host_, "10.77.0.10", 4444}, patience);
  }
  bool FrameLeaves(std::chrono::milliseconds patience) const {
    return FrameArrives(host_, {.interface = "lan0", .source = "10.77.0.10"}, {peer_, "10.77.0.66", 4444},
                        patience);
  }

  TempFolder folder_;
  NetNamespace host_{"host"};
  NetNamespace peer_{"peer"};
  std::unique_ptr<Subprocess> keeper_;
};

TEST_F(KeeperTest, ISO5_TheRulesStandBeforeTheNetworkAndFollowEveryInterfaceThatComes) {
  Connect();
  ASSERT_TRUE(Leaves(kExpectArrival) && Enters(kExpectArrival) && FrameLeaves(kExpectArrival))
      << "an open host";
  host_.Ip("link del lan0");

  Save(Isolate(v1::LEVEL_ESSENTIAL));  // switched off while it was isolated
  Start();                             // on, before any network
  EXPECT_TRUE(Holds(platform::Level::kEssential));
  Connect();
  EXPECT_FALSE(Leaves(kExpectNothing));
  EXPECT_FALSE(Enters(kExpectNothing));
  EXPECT_TRUE(Eventually([&] { return Holds(platform::Level::kEssential); })) << keeper_->Errors();
  EXPECT_FALSE(FrameLeaves(kExpectNothing)) << "past the IP stack";

  keeper_->Kill();
  EXPECT_TRUE(Holds(platform::Level::kEssential)) << "kill -9 opens nothing";
  EXPECT_FALSE(Leaves(kExpectNothing));
  EXPECT_FALSE(FrameLeaves(kExpectNothing));
}

TEST_F(KeeperTest, ISO5_ADamagedStateClosesTheHostButForItsControllers) {
  v1::EnrollmentFile enrollment;
  enrollment.add_controllers("10.77.0.66:8443");
  std::ofstream(folder_ / "enrollment.pb") << enrollment.SerializeAsString();
  Save(Isolate(v1::LEVEL_ESSENTIAL));
  std::ofstream(folder_ / "isolation.state", std::ios::app) << "x";
  Connect();
  const CommandResult result = Once();
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.errors, HasSubstr("closed but for its controllers: order isolate or release anew"));
  EXPECT_TRUE(Holds(platform::Level::kControllerOnly, agent::KnownControllers(folder_.Path())));
  EXPECT_FALSE(Leaves(kExpectNothing));
  EXPECT_TRUE(TcpArrives(host_, {peer_, "10.77.0.66", 8443}, kExpectArrival, platform::kAgentSocketMark));
}

TEST_F(KeeperTest, AHostWithoutAStateStaysOpen) {
  Connect();
  EXPECT_EQ(Once().status, 0);
  EXPECT_TRUE(Leaves(kExpectArrival));
  EXPECT_EQ(
      RunCommand({Fleet::Program("cordon-keeper"), "--once", "--state", (folder_ / "none").string()}).status,
      0);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "none"));
  EXPECT_EQ(RunCommand(Command({"--twice"})).status, 2);
}

TEST_F(KeeperTest, ItLeavesTheHostToARunningAgentAndTakesItWhenThatDies) {
  Save(Isolate(v1::LEVEL_ESSENTIAL));
  {
    const auto agent = agent::LockIsolation(folder_.Path(), std::chrono::seconds(1));
    ASSERT_TRUE(agent.ok());
    Start();
    Connect();
    EXPECT_TRUE(Leaves(kExpectArrival)) << "what the agent has in force is the agent's business";
    Save(Isolate(v1::LEVEL_CONTROLLER_ONLY));  // its last order
  }
  EXPECT_TRUE(Eventually([&] { return Holds(platform::Level::kControllerOnly); })) << keeper_->Errors();
  host_.Run({"nft", "flush", "ruleset"});
  EXPECT_TRUE(Eventually([&] { return Holds(platform::Level::kControllerOnly); }))
      << "drift is repaired, too";
}

// Within a moment of each, and not by the next look, which would be up to ten seconds away.
TEST_F(KeeperTest, ISO6_WhatOthersChangeAfterTheAgentsDeathIsRepairedByEventAndNamed) {
  Save(Isolate(v1::LEVEL_ESSENTIAL));
  Connect();
  Start();
  for (int times = 0; times < 5; ++times) {
    ASSERT_TRUE(Holds(platform::Level::kEssential));
    host_.Run({"nft", "flush", "ruleset"});
    ASSERT_TRUE(Eventually([&] { return Holds(platform::Level::kEssential); }, std::chrono::seconds(1)))
        << times << ": " << keeper_->Errors();
  }
  EXPECT_THAT(keeper_->Errors(), HasSubstr("rules changed by"));
  EXPECT_THAT(keeper_->Errors(), HasSubstr("nft (pid "));
}

TEST_F(KeeperTest, ISO8_ALeaseEndsAlsoWhileNoAgentRuns) {
  Save(WithLease(Isolate(v1::LEVEL_DARK), 60, v1::LEVEL_NO_LATERAL), 50 * kNanosPerSecond);
  Start();
  EXPECT_TRUE(Holds(platform::Level::kDark));
  EXPECT_TRUE(Eventually([&] { return Holds(platform::Level::kNoLateral); })) << keeper_->Errors();
  EXPECT_EQ(Saved().level(), v1::LEVEL_NO_LATERAL);
  EXPECT_EQ(Saved().sequence(), 1U);
  keeper_->Signal(SIGTERM);
  EXPECT_EQ(keeper_->Wait(), 0);
  EXPECT_TRUE(Holds(platform::Level::kNoLateral)) << "a stop in order opens nothing either";
}

TEST_F(KeeperTest, TheHoldOfABootEndsInTimeWhenNoAgentCanAsk) {
  Connect();
  std::ofstream(folder_ / "boot-hold") << "cordon-boot-hold-v1 another-boot 0 1 10000000000\n";
  Start();
  EXPECT_TRUE(Holds(platform::Level::kControllerOnly)) << keeper_->Errors();
  EXPECT_TRUE(Eventually([&] { return Holds(platform::Level::kObserve); })) << keeper_->Errors();
  EXPECT_TRUE(Leaves(kExpectArrival));
}

}  // namespace
}  // namespace cordon::testing
