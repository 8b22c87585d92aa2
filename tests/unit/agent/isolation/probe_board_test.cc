#include "agent/isolation/probe_board.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/fakes/fake_probes.h"
#include "tests/support/policies.h"

namespace cordon::testing {
namespace {

using agent::InboundProbe;
using agent::PlanProbes;
using agent::ProbeBoard;
using platform::FlowProtocol;
using platform::Level;
using Outcome = InboundProbe::Result::Outcome;

std::vector<std::string> NamesAt(Level level) {
  std::vector<std::string> names;
  for (const auto& probe : PlanProbes({.level = level}, {"eth0"})) names.push_back(probe.name);
  return names;
}

TEST(ProbePlan, ISO7_TriesEveryFamilyAndProtocolThatALevelCloses) {
  const std::vector<std::string> all = {"udp4 out", "udp6 out", "tcp4 out",
                                        "tcp6 out", "dns",      "frame out eth0"};
  EXPECT_EQ(NamesAt(Level::kEssential), all);
  EXPECT_EQ(NamesAt(Level::kDark), all);
  EXPECT_EQ(NamesAt(Level::kNoLateral),
            (std::vector<std::string>{"udp4 out", "udp6 out", "tcp4 out", "tcp6 out", "frame out eth0"}))
      << "DNS is nothing that no-lateral closes";
  EXPECT_TRUE(NamesAt(Level::kObserve).empty());
}

TEST(ProbePlan, TriesNoMoreFramesThanAFew) {
  std::vector<std::string> many(200, "veth");
  const auto probes = PlanProbes({.level = Level::kDark}, many);
  EXPECT_EQ(std::ranges::count_if(probes, [](const auto& p) { return p.name.starts_with("frame"); }),
            static_cast<int>(agent::kMostFrameProbes));
}

TEST(ProbePlan, LeavesAGuardedPort53ToTheFrame) {
  platform::FilterPolicy policy{.level = Level::kEssential};
  policy.dns = platform::DnsRedirect{.guard_port = 5353, .resolvers = {}};
  const auto probes = PlanProbes(policy, {"eth0"});
  EXPECT_TRUE(std::ranges::none_of(probes, [](const auto& p) { return p.name == "dns"; }));
  EXPECT_EQ(probes.back().packet.target.port, 53);
}

class Board : public ::testing::Test {
 protected:
  static InboundProbe::Result Result(Outcome outcome, const std::string& controller = "192.0.2.7") {
    return {.outcome = outcome,
            .local = {.address = {}, .port = 40'000},
            .controller = boost::asio::ip::make_address(controller)};
  }
  v1::Probe::Outcome Inbound(const platform::FilterPolicy& policy, Outcome outcome,
                             FlowProtocol protocol = FlowProtocol::kTcp) {
    board_.SetInbound(policy, Result(outcome), protocol);
    return board_.Results().back().outcome();
  }

  FakeEscapeProbe escape_;
  ProbeBoard board_{&escape_};
  const platform::FilterPolicy observe_{.level = Level::kObserve};
  const platform::FilterPolicy essential_ = ClinicPolicy(Level::kEssential);
};

TEST_F(Board, ISO7_TellsEachPacketThatLeft) {
  board_.TryToEscape(essential_, {"eth0"});
  EXPECT_TRUE(board_.Leaks().empty()) << "the positive control";
  EXPECT_EQ(board_.Results().size(), 6U);
  escape_.Open();
  board_.TryToEscape(essential_, {"eth0"});
  EXPECT_EQ(board_.Leaks().size(), 6U);
}

// What stays away proves nothing where nothing has come before.
TEST_F(Board, ISO7_AnInboundPacketCountsOnlyWithItsPositiveControl) {
  EXPECT_EQ(Inbound(essential_, Outcome::kDidNotArrive), v1::Probe::OUTCOME_NOT_POSSIBLE);
  EXPECT_EQ(Inbound(observe_, Outcome::kDidNotArrive), v1::Probe::OUTCOME_NOT_POSSIBLE)
      << "behind a NAT, say";
  EXPECT_EQ(Inbound(observe_, Outcome::kArrived), v1::Probe::OUTCOME_PASSED);
  EXPECT_EQ(Inbound(essential_, Outcome::kDidNotArrive), v1::Probe::OUTCOME_BLOCKED);
  EXPECT_TRUE(board_.Leaks().empty());
  EXPECT_EQ(Inbound(essential_, Outcome::kArrived), v1::Probe::OUTCOME_PASSED);
  EXPECT_EQ(board_.Leaks().size(), 1U);
}

TEST_F(Board, AnInboundPacketThatTheProfileAllowsIsNoLeak) {
  platform::FilterPolicy open = essential_;
  open.allow = {Allow(platform::FlowDirection::kIn, FlowProtocol::kTcp, {"192.0.2.0/24"}),
                Allow(platform::FlowDirection::kOut, FlowProtocol::kUdp, {"192.0.2.0/24"}, {{514, 514}})};
  EXPECT_EQ(Inbound(open, Outcome::kArrived), v1::Probe::OUTCOME_PASSED);
  EXPECT_EQ(Inbound(open, Outcome::kArrived, FlowProtocol::kUdp), v1::Probe::OUTCOME_PASSED);
  EXPECT_TRUE(board_.Leaks().empty());
}

// Of the clinic's policy, 13 destinations.
TEST_F(Board, ISO7_TellsWhichAllowedDestinationIsStoppedUntilItPasses) {
  v1::Profile profile;
  profile.add_allow()->set_comment("the practice system");
  board_.TryAllowed(essential_);
  EXPECT_EQ(board_.Results().size(), agent::kMostAllowedProbes);
  EXPECT_TRUE(board_.Stopped(profile).empty()) << "the positive control";
  EXPECT_FALSE(board_.StopsAllowed());

  escape_.Stop(At("203.0.113.10", 443));
  for (int receipt = 0; receipt < 5 && !board_.StopsAllowed(); ++receipt) board_.TryAllowed(essential_);
  board_.TryAllowed(essential_);  // from now on it is the first
  for (int receipt = 0; receipt < 5; ++receipt, board_.TryAllowed(essential_)) {
    ASSERT_EQ(board_.Stopped(profile).size(), 1U) << "it is tried each time";
    EXPECT_EQ(
        board_.Stopped(profile)[0],
        "profile rule 1 (the practice system) allows 203.0.113.10:443 (tcp4 allowed), and a rule of this "
        "host stops it: look for another firewall on it");
    EXPECT_TRUE(board_.StopsAllowed());
    EXPECT_EQ(board_.Results()[0].rule(), 1U);
    EXPECT_TRUE(board_.Results()[0].expected_open());
    EXPECT_LE(board_.Results().size(), agent::kMostAllowedProbes);
  }
  EXPECT_TRUE(board_.Leaks().empty());
  EXPECT_TRUE(board_.Doubts().empty());
  escape_.StopNothing();
  board_.TryAllowed(essential_);
  EXPECT_TRUE(board_.Stopped(profile).empty());
}

TEST_F(Board, WhatIsStoppedEverywhereLeavesRoomForTheRest) {
  std::set<Endpoint> all;
  for (const auto& probe : agent::PlanAllowed(essential_, 0, 100).probes) all.insert(probe.packet.target);
  std::set<Endpoint> tried;
  escape_.StopAll();
  for (int receipt = 0; receipt < 5; ++receipt) {
    board_.TryAllowed(essential_);
    for (const agent::AllowedPacket& packet : escape_.TakeAllowed()) tried.insert(packet.target);
  }
  EXPECT_TRUE(std::includes(tried.begin(), tried.end(), all.begin(), all.end()));
}

TEST_F(Board, AGuardThatDoesNotAnswerIsToldOnce) {
  platform::FilterPolicy policy = essential_;
  policy.dns = platform::DnsRedirect{.guard_port = 1011, .resolvers = {}};
  EXPECT_FALSE(board_.SetGuard(absl::OkStatus())) << "no news";
  EXPECT_EQ(board_.Results().back().name(), "dns guard");
  EXPECT_TRUE(board_.Stopped({}).empty());
  EXPECT_TRUE(board_.SetGuard(absl::DeadlineExceededError("no answer")));
  EXPECT_FALSE(board_.SetGuard(absl::DeadlineExceededError("no answer"))) << "no news";
  ASSERT_EQ(board_.Stopped({}).size(), 1U);
  EXPECT_NE(board_.Stopped({})[0].find("no answer"), std::string::npos);
  EXPECT_TRUE(board_.Doubts().empty()) << "told once";
  EXPECT_TRUE(board_.SetGuard(absl::OkStatus()));
  board_.TryAllowed(essential_);  // without a guard
  EXPECT_TRUE(std::ranges::none_of(board_.Results(), [](const auto& p) { return p.name() == "dns guard"; }));
}

TEST_F(Board, WhatWasShownOfAnEarlierStateIsForgotten) {
  escape_.Open();
  board_.TryToEscape(essential_, {"eth0"});
  board_.SetChannel(essential_, absl::DeadlineExceededError("no answer"));
  EXPECT_FALSE(board_.Doubts().empty());
  board_.Forget();
  EXPECT_TRUE(board_.Results().empty());
  EXPECT_TRUE(board_.Doubts().empty());
}

TEST_F(Board, AsksForLateralPortsWhereOnlyThoseAreClosed) {
  EXPECT_FALSE(ProbeBoard::InboundAttempt(ClinicPolicy(Level::kDark), FlowProtocol::kTcp).has_value());
  const auto lateral = ProbeBoard::InboundAttempt(ClinicPolicy(Level::kNoLateral), FlowProtocol::kTcp);
  ASSERT_TRUE(lateral.has_value());
  EXPECT_EQ(lateral->ports.front(), 5999);
}

}  // namespace
}  // namespace cordon::testing
