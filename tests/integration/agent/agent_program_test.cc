#include "tests/integration/agent/agent_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "tests/support/actions.h"
#include "tests/support/dns.h"
#include "tests/support/traffic.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

class AgentProgramTest : public AgentProgram {};

TEST_F(AgentProgramTest, EnrolsRunsTellsItsStatusAndStops) {
  EXPECT_EQ(Run({"run"}).status, 1) << "not enrolled";
  const CommandResult enrolled = Enroll();
  ASSERT_EQ(enrolled.status, 0) << enrolled.errors;
  EXPECT_THAT(enrolled.output, HasSubstr("enrolled at site leeds as host "));
  EXPECT_EQ(Enroll().status, 1) << "enrolled already";
  EXPECT_EQ(Run({"status"}).status, 1) << "nobody answers";

  Start();
  const CommandResult status = Run({"status"});
  EXPECT_EQ(status.status, 0);
  EXPECT_THAT(status.output, HasSubstr("front-desk, site leeds"));
  EXPECT_THAT(Run({"status", "-o", "json"}).output, HasSubstr("\"connected\":true"));

  const CommandResult second = Run({"run"});
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.errors, HasSubstr("another agent uses"));
  EXPECT_THAT(Run({"enroll", (folder_ / "leeds.enroll").string(), "--replace"}).errors,
              HasSubstr("another agent"));

  agent_->Signal(SIGTERM);
  EXPECT_EQ(agent_->Wait(), 0) << agent_->Errors();
  EXPECT_THAT(agent_->Errors(), HasSubstr("isolation stays in force"));
  EXPECT_FALSE(std::filesystem::exists(State() / "agent.sock"));
}

TEST_F(AgentProgramTest, BadUsageAndBadSettingsAreStatusTwo) {
  EXPECT_EQ(Run({}).status, 2);
  EXPECT_EQ(Run({"destroy"}).status, 2);
  EXPECT_EQ(Run({"status", "-o", "xml"}).status, 2);
  EXPECT_EQ(Run({"--help"}).status, 0);
  std::ofstream(folder_ / "agent.toml") << "[agent]\nstatedir = \"/x\"\n";
  const CommandResult bad = Run({"status"});
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.errors, HasSubstr("agent.toml:2: unknown setting agent.statedir"));
}

TEST_F(AgentProgramTest, ISO5_AnOrderIsolatesAndOutlivesTheAgentUntilTheRelease) {
  ASSERT_EQ(Enroll().status, 0);
  Start();
  ASSERT_TRUE(PingsPeer());
  OrderEssential();
  ASSERT_TRUE(OutcomeComes(v1::OrderOutcome::STATE_DONE));
  EXPECT_FALSE(PingsPeer());
  EXPECT_TRUE(gateway_->WaitForMessage([](const auto& m) {
    return m.has_receipt() && m.receipt().containment() == v1::CONTAINMENT_CONTAINED;
  }));
  EXPECT_THAT(Run({"status"}).output, HasSubstr("isolation     essential, contained"));

  agent_->Kill();
  EXPECT_FALSE(PingsPeer());
  Start();
  EXPECT_FALSE(PingsPeer());
  EXPECT_THAT(Run({"status"}).output, HasSubstr("isolation     essential, contained"));

  Order(2, [](v1::Order* order) { order->mutable_release(); });
  EXPECT_TRUE(Eventually([&] { return PingsPeer(); }));
  EXPECT_THAT(Run({"status"}).output, HasSubstr("isolation     observe, open"));
}

TEST_F(AgentProgramTest, ISO5_WhatANameOpenedOutlivesAKilledAgent) {
  DnsServer resolver(peer_, "10.77.0.66");
  resolver.Says("pms.example.vet", {"10.77.0.66"});
  ASSERT_EQ(Enroll().status, 0);
  Start();
  Order(1, [](v1::Order* order) {
    *order->mutable_isolate() =
        WithRule(Isolate(v1::LEVEL_ESSENTIAL), v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_TCP, {}, 443);
    order->mutable_isolate()->mutable_profile()->mutable_allow(0)->add_names("pms.example.vet");
  });
  ASSERT_TRUE(OutcomeComes(v1::OrderOutcome::STATE_DONE));
  const auto ask = [&](const std::string& name) {
    return AskDns(host_, {.server = "10.77.0.66", .name = name});
  };
  EXPECT_EQ(ask("pms.example.vet").addresses, std::set<std::string>{"10.77.0.66"});
  EXPECT_EQ(ask("evil.example").code, 5);
  Established flow(host_, {peer_, "10.77.0.66", 443});
  std::this_thread::sleep_for(
      std::chrono::milliseconds(2'500));  // the state is written within a second or two

  agent_->Kill();
  EXPECT_TRUE(flow.Reaches(true, kExpectArrival));
  resolver.FallSilent();
  host_.Run({"nft", "flush", "ruleset"});  // as a reboot does
  Start();
  EXPECT_TRUE(flow.Reaches(true, kExpectArrival));
  EXPECT_TRUE(TcpArrives(host_, {peer_, "10.77.0.66", 443}, kExpectArrival));
  EXPECT_FALSE(TcpArrives(host_, {peer_, "10.77.0.66", 444}, kExpectNothing));
  EXPECT_FALSE(PingsPeer());
  EXPECT_EQ(ask("evil.example").code, 5);
  EXPECT_FALSE(resolver.WasAsked("evil.example"));
  EXPECT_THAT(Run({"status"}).output, HasSubstr("isolation     essential, contained"));
}

// A controller that passes on what it should have refused: the agent judges for itself.
TEST_F(AgentProgramTest, AUT3_AnOrderInTheOperatorsNameByAnotherKeyHasNoEffect) {
  ASSERT_EQ(Enroll().status, 0);
  Start();
  const KeyPtr thief = Must(NewSigningKey());
  Order(1, Essential, thief.get());
  ASSERT_TRUE(OutcomeComes(v1::OrderOutcome::STATE_REFUSED));
  EXPECT_TRUE(gateway_->WaitForMessage([&](const v1::ControlRequest& message) {
    return message.outcome().message().contains(
        StrCat("the signature of operator ", fleet_.OperatorId(), " is not one over these bytes"));
  }));
  EXPECT_TRUE(PingsPeer());
  EXPECT_THAT(Run({"status"}).output, HasSubstr("isolation     observe, open"));
  Order(2, Essential);  // the positive control
  ASSERT_TRUE(OutcomeComes(v1::OrderOutcome::STATE_DONE));
  EXPECT_FALSE(PingsPeer());
}

// No order comes after it: the agent that runs has to see the interface.
TEST_F(AgentProgramTest, ISO3_ARunningAgentClosesAnInterfaceThatAppears) {
  ASSERT_EQ(Enroll().status, 0);
  Start();
  OrderEssential();
  ASSERT_TRUE(OutcomeComes(v1::OrderOutcome::STATE_DONE));
  const LinkEnd here{host_, "late0", {"10.78.0.10/24", "fd78::10/64"}};
  const LinkEnd there{peer_, "late0", {"10.78.0.66/24", "fd78::66/64"}};
  ConnectByVeth(here, there);
  KnowNeighbour(host_, "late0", there);
  const auto leaves_by_frame = [&](bool v6, std::chrono::milliseconds patience) {
    return FrameArrives(host_, {"late0", v6 ? "fd78::10" : "10.78.0.10"},
                        {peer_, v6 ? "fd78::66" : "10.78.0.66", 4444}, patience);
  };
  const auto leaves_by_socket = [&](const std::string& to, std::chrono::milliseconds patience) {
    return UdpArrives(host_, {peer_, to, 4444}, patience) || TcpArrives(host_, {peer_, to, 4444}, patience);
  };
  for (const char* to : {"10.78.0.66", "fd78::66"}) EXPECT_FALSE(leaves_by_socket(to, kExpectNothing)) << to;
  // Milliseconds; far less than a health check takes to come by.
  for (const bool v6 : {false, true}) {
    EXPECT_TRUE(Eventually([&] { return !leaves_by_frame(v6, kExpectNothing); }, std::chrono::seconds(3)));
  }
  EXPECT_THAT(Run({"status"}).output, HasSubstr("isolation     essential, contained"));

  Order(2, [](v1::Order* order) { order->mutable_release(); });  // the positive control
  ASSERT_TRUE(Eventually([&] { return PingsPeer(); }));
  for (const bool v6 : {false, true}) EXPECT_TRUE(leaves_by_frame(v6, kExpectArrival));
  for (const char* to : {"10.78.0.66", "fd78::66"}) EXPECT_TRUE(leaves_by_socket(to, kExpectArrival)) << to;
}

TEST_F(AgentProgramTest, ADamagedDatabaseIsSetAsideToldAndIsolationKept) {
  ASSERT_EQ(Enroll().status, 0);
  Start();
  OrderEssential();
  ASSERT_TRUE(OutcomeComes(v1::OrderOutcome::STATE_DONE));
  agent_->Kill();
  for (const char* database : {"agent.db", "baseline.db"}) {
    for (const char* suffix : {"", "-wal", "-shm"})
      std::filesystem::remove(State() / (database + std::string(suffix)));
    std::ofstream(State() / database) << std::string(10'000, 'x');
  }
  Start();
  EXPECT_FALSE(PingsPeer());
  const std::string status = Run({"status"}).output;
  EXPECT_THAT(status, HasSubstr("essential, contained"));
  EXPECT_THAT(status, ::testing::ContainsRegex("notice .*agent\\.db"));
  EXPECT_THAT(status, ::testing::ContainsRegex("notice .*baseline\\.db"));
}

TEST_F(AgentProgramTest, ISO5_ADamagedIdentityStopsTheAgentAndOpensNothing) {
  ASSERT_EQ(Enroll().status, 0);
  Start();
  OrderEssential();
  ASSERT_TRUE(OutcomeComes(v1::OrderOutcome::STATE_DONE));
  agent_->Kill();
  host_.Run({"nft", "flush", "ruleset"});  // as a reboot does
  ASSERT_TRUE(PingsPeer());
  std::ofstream(State() / "host.crt") << "garbage";
  const CommandResult run = Run({"run"});
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.errors, HasSubstr("host.crt is damaged"));
  EXPECT_FALSE(PingsPeer()) << "isolation stands all the same";
}

TEST_F(AgentProgramTest, WhatHappensOnTheHostArrives) {
  ASSERT_EQ(Enroll().status, 0);
  Start();
  std::ofstream(folder_ / "watched" / "record.txt") << "patient";
  EXPECT_TRUE(gateway_->WaitUntil([](const FakeGateway& gateway) { return !gateway.Batches().empty(); }));
}

}  // namespace
}  // namespace cordon::testing
