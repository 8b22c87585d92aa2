// The proof of the agent's channel over the real link (ISO-4), from before there is one until it ends.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "agent/app/link_channel_probe.h"
#include "agent/isolation/isolation.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_connections.h"
#include "tests/fakes/fake_packet_filter.h"
#include "tests/fakes/fake_probes.h"
#include "tests/fakes/fake_spool.h"
#include "tests/fakes/recording_sink.h"
#include "tests/integration/link/agent_loop.h"
#include "tests/support/actions.h"
#include "tests/support/status_matchers.h"

namespace cordon::agent {
namespace {

using namespace std::chrono_literals;  // NOLINT: durations below
using platform::Level;
using testing::AgentLoop;
using testing::Eventually;
using testing::FakeGateway;
using testing::IsOk;
using testing::Must;

class ChannelProbeTest : public ::testing::Test {
 protected:
  ChannelProbeTest() : gateway_(fleet_) {
    std::ofstream(folder_ / "file") << WriteEnrollmentFile(fleet_.MakeEnrollment(gateway_.Address()));
    state_ = Must(Enroll({.file = folder_ / "file", .state_dir = folder_.Path(), .facts = {}, .timeout = 5s},
                         *real_clock_));
    link_ = std::make_unique<Link>(
        Link::Parts{loop_.Get(), *real_clock_, handler_, sender_, folder_.Path(), {}, "boot"}, state_,
        LinkSettings());
  }
  ~ChannelProbeTest() override { StopLink(); }

  // Runs on the agent loop, as all of this does there.
  void OnLoop(const std::function<void()>& what) {
    std::promise<void> done;
    boost::asio::post(loop_.Get(), [&] {
      what();
      done.set_value();
    });
    done.get_future().wait();
  }
  void StopLink() {
    if (!std::exchange(started_, false)) return;
    std::promise<void> stopped;
    OnLoop([&] { link_->Stop([&] { stopped.set_value(); }); });
    stopped.get_future().wait();
  }
  void StartLink() {
    OnLoop([&] { Must(link_->Start()); });
    started_ = true;
  }

  std::unique_ptr<Isolation> NewIsolation(ChannelProbe* channel) {
    return std::make_unique<Isolation>(
        IsolationParts{.filter = &filter_,
                       .connections = &connections_,
                       .clock = &clock_,
                       .events = &events_,
                       .escape = nullptr,
                       .channel = channel},
        IsolationOptions{.state_file = folder_ / "isolation.state", .boot_id = "boot-1"});
  }
  // An agent that was killed before the channel was proven, and the next one, up to its link.
  void RestoreUndecided() {
    testing::FakeChannelProbe silent;
    ASSERT_THAT(
        NewIsolation(&silent)->Set(testing::Isolate(v1::LEVEL_ESSENTIAL, v1::FALLBACK_STEP_DOWN), "order", 1),
        IsOk());
    isolation_ = NewIsolation(&probe_);
    OnLoop([&] { ASSERT_THAT(isolation_->Restore(), IsOk()); });
    OnLoop([] {});  // what has been posted to the loop has run
  }
  Level Enforced() {
    Level level = Level::kObserve;
    OnLoop([&] { level = filter_.Held().has_value() ? filter_.Held()->level : Level::kObserve; });
    return level;
  }
  bool ChannelProven() {
    bool proven = false;
    OnLoop([&] {
      const v1::Receipt receipt = isolation_->ReadReceipt();
      for (const v1::Probe& probe : receipt.probes())
        proven = proven || (probe.name() == "controller" && probe.outcome() == v1::Probe::OUTCOME_PASSED);
    });
    return proven;
  }

  testing::TestFleet fleet_;
  FakeGateway gateway_;
  testing::TempFolder folder_;
  const std::unique_ptr<Clock> real_clock_ = platform::MakeSystemClock();
  testing::FakeClock clock_;
  testing::FakePacketFilter filter_;
  testing::FakeConnections connections_;
  testing::RecordingSink events_;
  testing::FakeSpool spool_;
  TelemetrySender sender_{spool_, *real_clock_, TelemetrySender::Window(), [] {}};
  AgentLoop loop_;
  testing::RecordingHandler handler_;
  HostState state_;
  LinkChannelProbe probe_;
  std::unique_ptr<Isolation> isolation_;
  std::unique_ptr<Link> link_;
  bool started_ = false;
};

TEST_F(ChannelProbeTest, ISO4_ARestartedAgentAsksTheControllerBeforeItFalls) {
  RestoreUndecided();
  EXPECT_EQ(Enforced(), Level::kEssential) << "nobody was asked yet";
  StartLink();
  OnLoop([&] { probe_.Use(link_.get()); });
  EXPECT_TRUE(Eventually([&] { return ChannelProven(); }));
  EXPECT_EQ(Enforced(), Level::kEssential);
}

// The positive control: the same order falls when the answer is no.
TEST_F(ChannelProbeTest, ISO4_ALinkThatReachesNobodyMakesTheOrderFall) {
  RestoreUndecided();
  OnLoop([&] { probe_.Use(link_.get()); });  // it has not been started, so that it says no at once
  EXPECT_TRUE(Eventually([&] { return Enforced() != Level::kEssential; }));
}

TEST_F(ChannelProbeTest, ISO4_AnAgentThatEndsDecidesNothing) {
  gateway_.AnswerHeartbeats(false);
  RestoreUndecided();
  StartLink();
  OnLoop([&] { probe_.Use(link_.get()); });
  OnLoop([&] { probe_.Stop(); });
  StopLink();
  EXPECT_EQ(Enforced(), Level::kEssential);
}

}  // namespace
}  // namespace cordon::agent
