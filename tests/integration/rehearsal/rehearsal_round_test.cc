// Rehearse, isolate, compare: with the real programs and real flows, every flow that broke was foretold and
// none that lived was condemned.

#include "tests/integration/rehearsal/rehearsal_round.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(RehearsalRound, EveryFlowThatBrokeWasForetoldAndNoneThatLivedWasCondemned) {
  for (const char* peer : {kPeer4, kPeer6}) {
    for (const int64_t port : {8080, 4444, 8081, 8082}) Keep("out", "tcp", peer, port);
    for (const int64_t port : {5060, 9999}) Keep("out", "udp", peer, port);
  }
  for (const char* host : {kHost4, kHost6}) {
    for (const int64_t port : {3389, 22}) Keep("in", "tcp", host, port);
    for (const int64_t port : {7000, 7001}) Keep("in", "udp", host, port);
  }
  for (KeptFlow& flow : flows_) ASSERT_TRUE(Lives(flow)) << "before: port " << std::get<3>(flow.key);

  const boost::json::object answer = Rehearse();
  ASSERT_TRUE(answer.at("answered").as_bool()) << boost::json::serialize(answer);
  const std::map<FlowKey, boost::json::object> forecast = ByKind(answer.at("rehearsal").as_object());
  for (KeptFlow& flow : flows_) EXPECT_TRUE(Lives(flow)) << "a rehearsal changes nothing";

  EXPECT_EQ(fleet_.CtlJson(Isolate({"--yes", "--wait"})).back().at("state"), "done");
  int lived = 0;
  int broke = 0;
  for (KeptFlow& flow : flows_) {
    const bool lives = Lives(flow);
    ++(lives ? lived : broke);
    const auto foretold = forecast.find(flow.key);
    ASSERT_NE(foretold, forecast.end()) << std::get<0>(flow.key) << " " << std::get<1>(flow.key) << " "
                                        << std::get<2>(flow.key) << " " << std::get<3>(flow.key) << "\n"
                                        << boost::json::serialize(answer);
    EXPECT_EQ(foretold->second.at("stays").as_bool(), lives) << boost::json::serialize(foretold->second);
    EXPECT_THAT(std::string(foretold->second.at("executable").as_string()), HasSubstr("python3"));
  }
  EXPECT_EQ(lived, 10);
  EXPECT_EQ(broke, 10);
}

// Its address opens when the agent has looked it up itself: what was open before is cut once, which the
// rehearsal says.
TEST_F(RehearsalRound, WhatARuleByNameKeepsOpensAnewAndThatIsForetold) {
  EXPECT_EQ(Talk(fleet_.Host(), {"ask", kPeer4, kName})->Wait(), 0);  // what the host knows the server by
  for (const char* peer : {kPeer4, kPeer6}) Keep("out", "tcp", peer, 8443);
  for (KeptFlow& flow : flows_) ASSERT_TRUE(Lives(flow)) << "before";
  const boost::json::object answer = Rehearse();
  const std::map<FlowKey, boost::json::object> forecast = ByKind(answer.at("rehearsal").as_object());
  for (const KeptFlow& flow : flows_) {
    const auto foretold = forecast.find(flow.key);
    ASSERT_NE(foretold, forecast.end()) << boost::json::serialize(answer);
    EXPECT_TRUE(foretold->second.at("stays").as_bool());
    EXPECT_THAT(std::string(foretold->second.at("because").as_string()),
                HasSubstr(StrCat("by the name ", kName, "; what is open now may be cut once")));
  }

  EXPECT_EQ(fleet_.CtlJson(Isolate({"--yes", "--wait"})).back().at("state"), "done");
  flows_.clear();
  for (const char* peer : {kPeer4, kPeer6}) {
    EXPECT_TRUE(Eventually([&] { return Fleet::Connects(fleet_.Host(), peer, 8443); })) << peer;
    EXPECT_FALSE(Fleet::Connects(fleet_.Host(), peer, 4444)) << peer;
    Keep("out", "tcp", peer, 8443);
    EXPECT_TRUE(Lives(flows_.back())) << peer;
  }
}

TEST_F(RehearsalRound, RemembersFlowsThatAreOverWithTheirNamesAndThroughARestart) {
  EXPECT_EQ(Talk(fleet_.Host(), {"ask", kPeer4, kName})->Wait(), 0);
  {
    Keep("out", "tcp", kPeer4, 4444);
    ASSERT_TRUE(Lives(flows_.back()));
    flows_.clear();  // over
  }
  const FlowKey over("out", "tcp", kPeer4, 4444);
  const auto remembered = [&] {
    const boost::json::object answer = Rehearse();
    const auto kinds = ByKind(answer.at("rehearsal").as_object());
    const auto found = kinds.find(over);
    EXPECT_NE(found, kinds.end()) << boost::json::serialize(answer);
    if (found == kinds.end()) return false;
    EXPECT_FALSE(found->second.at("live").as_bool());
    EXPECT_FALSE(found->second.at("stays").as_bool());
    EXPECT_EQ(found->second.at("remote_name"), kName);
    return true;
  };
  ASSERT_TRUE(remembered());
  EXPECT_EQ(fleet_.StopAgent(), 0);
  fleet_.StartAgent();
  EXPECT_TRUE(remembered());

  const std::string shown = fleet_.Ctl(Isolate({"--dry-run"}));
  EXPECT_THAT(shown, HasSubstr("Nothing was sent"));
  EXPECT_THAT(shown, HasSubstr("10.77.0.66 (pms.example.vet)"));
  EXPECT_THAT(shown, HasSubstr("tcp/4444"));
  EXPECT_THAT(shown, HasSubstr("essential: no rule of the profile allows it"));
  const std::string log = fleet_.Folder("audit.json").string();
  fleet_.Ctl({"audit", "export", log});
  EXPECT_THAT(RunCommand({"cat", log}).output, HasSubstr("isolate.rehearse"));
}

TEST_F(RehearsalRound, AHostThatIsAwayIsNamed) {
  EXPECT_EQ(fleet_.StopAgent(), 0);
  EXPECT_TRUE(Eventually([&] { return fleet_.CtlJson({"hosts"}).at(0).at("state") == "offline"; }));
  const CommandResult result = fleet_.TryCtl(Isolate({"--dry-run"}));
  EXPECT_EQ(result.status, 3) << result.errors;
  EXPECT_THAT(result.output, HasSubstr("the host is not connected"));
  EXPECT_THAT(result.output, HasSubstr("0 of 1 host answered"));
}

}  // namespace
}  // namespace cordon::testing
