// What becomes of orders, leases and rules when the real agent is killed at any moment.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <iostream>
#include <map>
#include <random>
#include <thread>

#include "agent/isolation/policy.h"
#include "agent/isolation/recovery.h"
#include "agent/isolation/state_file.h"
#include "platform/api/files.h"
#include "platform/api/packet_filter.h"
#include "tests/integration/agent/agent_program.h"
#include "tests/support/actions.h"
#include "tests/support/soak.h"
#include "tests/support/traffic.h"

namespace cordon::testing {
namespace {

class PersistenceProgramTest : public AgentProgram {
 protected:
  void SetUp() override { ASSERT_EQ(Enroll().status, 0); }

  v1::IsolationState Saved() const {
    const auto state = agent::LoadState(State() / "isolation.state");
    return absl::IsNotFound(state.status()) ? v1::IsolationState() : state.value();
  }

  // Whether the kernel holds exactly what the saved state asks for.
  bool KernelEqualsState() const {
    const v1::IsolationState state = Saved();
    platform::FilterPolicy policy;
    if (state.has_action()) policy = agent::PolicyOf(state.action()).value();
    policy.controllers = agent::ControllersOf(state);
    const auto level = state.level() == v1::LEVEL_UNSPECIFIED ? platform::Level::kObserve
                                                              : static_cast<platform::Level>(state.level());
    const InNetNamespace inside(host_);
    const auto readback = platform::MakePacketFilter()->ReadBack(agent::AtLevel(policy, level));
    return readback.ok() && readback->matches;
  }

  void SendIsolate(uint64_t sequence, const v1::IsolateAction& action) {
    Order(0, [&](v1::Order* order) {
      *order->mutable_isolate() = action;
      order->set_sequence(sequence);
    });
  }
  bool StateReaches(uint64_t sequence) const {
    return Eventually([&] { return Saved().sequence() >= sequence; });
  }

  void StartKeeper() {
    keeper_ = std::make_unique<Subprocess>(
        std::vector<std::string>{Fleet::Program("cordon-keeper"), "--state", State().string()},
        SubprocessOptions{.net_namespace = host_.Name()});
    ASSERT_TRUE(keeper_->WaitForErrors("the saved state is in force")) << keeper_->Errors();
  }
  // In a time namespace whose boot-time clock is ahead.
  void StartAheadBy(int64_t seconds) {
    Start({"unshare", "-T", "--boottime", std::to_string(seconds), "--fork", "--kill-child"});
  }

  // An agent in a time namespace dies a moment after the program that made that.
  void KillAgent() {
    agent_->Kill();
    ASSERT_TRUE(Eventually([&] { return platform::LockFile(State() / "agent.lock").ok(); }));
  }

  std::unique_ptr<Subprocess> keeper_;
};

// A keeper whose look takes longer than an agent waits.
TEST_F(PersistenceProgramTest, ISO9_AnAgentThatCannotHaveTheHostAtItsStartTakesItLater) {
  auto keeper = platform::LockFile(State() / "isolation.lock");
  ASSERT_TRUE(keeper.ok()) << keeper.status();
  Start();
  const auto base = static_cast<uint64_t>(WallNowNanos() / 1'000);
  SendIsolate(base, Isolate(v1::LEVEL_ESSENTIAL));
  EXPECT_TRUE(StateReaches(base)) << "orders have their effect meanwhile";
  keeper->reset();
  EXPECT_TRUE(Eventually([&] {
    return absl::IsAlreadyExists(platform::LockFile(State() / "isolation.lock").status());
  })) << agent_->Errors();
  EXPECT_TRUE(KernelEqualsState());
}

// Somebody isolates the host when the removal has looked at it, and does not have it yet.
TEST_F(PersistenceProgramTest, ISO5_ARemovalWithoutAReleaseOpensNoHostThatIsIsolatedMeanwhile) {
  std::filesystem::remove(State() / "agent.lock");
  auto keeper = platform::LockFile(State() / "isolation.lock");
  ASSERT_TRUE(keeper.ok()) << keeper.status();
  Subprocess removal(Command({"remove"}), SubprocessOptions{.net_namespace = host_.Name()});
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(State() / "agent.lock"); }))
      << removal.Errors();
  v1::IsolationState state;
  state.set_order_id("order-1");
  state.set_sequence(1);
  state.set_level(v1::LEVEL_ESSENTIAL);
  *state.mutable_action() = Isolate(v1::LEVEL_ESSENTIAL);
  ASSERT_TRUE(agent::StateFile(State() / "isolation.state").Save(state).ok());
  keeper->reset();
  EXPECT_EQ(removal.Wait(), 1) << removal.Output();
  EXPECT_TRUE(removal.Errors().contains("this host is isolated (essential)")) << removal.Errors();
  EXPECT_EQ(Saved().level(), v1::LEVEL_ESSENTIAL);

  const CommandResult released = Run({"remove", "--release"});  // the positive control
  EXPECT_EQ(released.status, 0) << released.errors;
  EXPECT_EQ(Saved().level(), v1::LEVEL_OBSERVE);
}

// Orders of random levels come in random order, old ones again and again, and the agent is killed at random
// moments: between state and kernel, too. Whatever was cut off, after the restart the kernel is what the
// state says, the sequence has not gone back, and the state is that of the order that has this sequence.
TEST_F(PersistenceProgramTest, ISO9_NoOldOrderHasAnEffectWheneverTheAgentIsKilled) {
  const int rounds = StormCount(6, 150);
  const uint64_t base = static_cast<uint64_t>(WallNowNanos() / 1'000);
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::map<uint64_t, v1::Level> given;  // by sequence
  uint64_t newest = base;
  uint64_t last = 0;
  int cut_in_between = 0;
  for (int round = 0; round < rounds; ++round) {
    Start();
    ASSERT_TRUE(Eventually([&] { return KernelEqualsState(); })) << "round " << round << "\n"
                                                                 << agent_->Errors();
    for (int i = 0; i < 12; ++i) {
      const bool replay = !given.empty() && random() % 3 == 0;
      const uint64_t sequence =
          replay ? std::next(given.begin(), random() % given.size())->first : newest + 1 + random() % 3;
      if (!replay) newest = sequence;
      const auto level =
          given.emplace(sequence, static_cast<v1::Level>(v1::LEVEL_NO_LATERAL + random() % 4)).first->second;
      SendIsolate(sequence, Isolate(level));
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 15));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 60));
    KillAgent();
    const v1::IsolationState state = Saved();
    ASSERT_GE(state.sequence(), last) << "round " << round;
    if (state.sequence() > 0) {
      ASSERT_TRUE(given.contains(state.sequence()));
      EXPECT_EQ(state.action().level(), given.at(state.sequence())) << "round " << round;
    }
    last = state.sequence();
    if (!KernelEqualsState()) ++cut_in_between;
  }
  RecordProperty("killed_between_state_and_kernel", cut_in_between);
  std::cout << "killed between state and kernel: " << cut_in_between << " of " << rounds << "\n";
  EXPECT_GT(last, base) << "no order ever came through: nothing was tested";
  Start();
  SendIsolate(newest + 10, Isolate(v1::LEVEL_ESSENTIAL));
  ASSERT_TRUE(StateReaches(newest + 10));
  SendIsolate(newest + 9, Isolate(v1::LEVEL_NO_LATERAL));
  EXPECT_TRUE(OutcomeComes(v1::OrderOutcome::STATE_SUPERSEDED));
  EXPECT_TRUE(Eventually([&] { return KernelEqualsState(); }));
  EXPECT_EQ(Saved().level(), v1::LEVEL_ESSENTIAL);
}

TEST_F(PersistenceProgramTest, ISO8_TheLeaseEndsByTheBootClockThroughKillsAndClockJumps) {
  const auto sequence = static_cast<uint64_t>(WallNowNanos() / 1'000);
  Start();
  SendIsolate(sequence, WithLease(Isolate(v1::LEVEL_ESSENTIAL), 7'200, v1::LEVEL_NO_LATERAL));
  ASSERT_TRUE(StateReaches(sequence));
  KillAgent();

  StartAheadBy(3'600);  // an hour later
  EXPECT_EQ(Saved().level(), v1::LEVEL_ESSENTIAL);
  ASSERT_TRUE(Eventually([&] { return Saved().lease_elapsed_nanos() > 0; }, std::chrono::seconds(90)))
      << "its progress is on disk within a minute";
  EXPECT_GE(Saved().lease_elapsed_nanos(), 3'600 * kNanosPerSecond);
  EXPECT_TRUE(KernelEqualsState());
  KillAgent();

  Start();  // the boot clock set back by an hour: nothing is given back, nothing ends early
  EXPECT_EQ(Saved().level(), v1::LEVEL_ESSENTIAL);
  EXPECT_TRUE(KernelEqualsState());
  KillAgent();

  StartAheadBy(2 * 3'600);
  EXPECT_TRUE(Eventually([&] { return Saved().level() == v1::LEVEL_NO_LATERAL; })) << agent_->Errors();
  EXPECT_TRUE(Eventually([&] { return KernelEqualsState(); }));
  EXPECT_EQ(Saved().sequence(), sequence);
}

TEST_F(PersistenceProgramTest, ISO8_ANewerOrderExtendsTheLease) {
  const auto sequence = static_cast<uint64_t>(WallNowNanos() / 1'000);
  Start();
  SendIsolate(sequence, WithLease(Isolate(v1::LEVEL_ESSENTIAL), 3'600));
  ASSERT_TRUE(StateReaches(sequence));
  SendIsolate(sequence + 1, WithLease(Isolate(v1::LEVEL_ESSENTIAL), 86'400));
  ASSERT_TRUE(StateReaches(sequence + 1));
  KillAgent();
  StartAheadBy(7'200);
  EXPECT_EQ(Saved().level(), v1::LEVEL_ESSENTIAL);
  KillAgent();
  StartAheadBy(90'000);
  EXPECT_TRUE(Eventually([&] { return Saved().level() == v1::LEVEL_OBSERVE; })) << agent_->Errors();
  EXPECT_TRUE(Eventually([&] { return PingsPeer(); }));
}

TEST_F(PersistenceProgramTest, ISO5_KeeperAndAgentHandTheHostToEachOther) {
  StartKeeper();
  Start();
  OrderEssential();
  ASSERT_TRUE(OutcomeComes(v1::OrderOutcome::STATE_DONE));
  EXPECT_TRUE(KernelEqualsState());
  KillAgent();

  // No agent: an interface that comes is covered all the same, past the IP stack too.
  ConnectByVeth({host_, "late0", {"10.78.0.10/24"}}, {peer_, "late0", {"10.78.0.66/24"}});
  EXPECT_TRUE(Eventually([&] { return KernelEqualsState(); })) << keeper_->Errors();
  EXPECT_FALSE(FrameArrives(host_, {.interface = "late0", .source = "10.78.0.10"},
                            {peer_, "10.78.0.66", 4444}, kExpectNothing));
  // Nor does drift stay.
  host_.Run({"nft", "flush", "ruleset"});
  EXPECT_TRUE(Eventually([&] { return KernelEqualsState(); })) << keeper_->Errors();

  Start();
  EXPECT_TRUE(KernelEqualsState());
  Order(2, [](v1::Order* order) { order->mutable_release(); });
  EXPECT_TRUE(Eventually([&] { return PingsPeer(); }));
  KillAgent();
  EXPECT_TRUE(Eventually([&] { return KernelEqualsState(); }))
      << "the keeper has the newest state, not its own";
  EXPECT_TRUE(PingsPeer());
}

}  // namespace
}  // namespace cordon::testing
