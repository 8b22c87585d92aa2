// The real cordon-agent as a process in a namespace of its own, against a fake controller in the same
// namespace.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "common/wire/enrollment_file.h"
#include "common/wire/trust.h"
#include "tests/integration/link/fake_gateway.h"
#include "tests/support/actions.h"
#include "tests/support/build_paths.h"
#include "tests/support/dns.h"
#include "tests/support/fleet.h"
#include "tests/support/net_namespace.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_fleet.h"
#include "tests/support/traffic.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

class AgentProgramTest : public ::testing::Test {
 protected:
  AgentProgramTest() {
    ConnectByVeth({host_, "lan0", {"10.77.0.10/24"}}, {peer_, "lan0", {"10.77.0.66/24"}});
    const InNetNamespace inside(host_);
    gateway_ = std::make_unique<FakeGateway>(fleet_);
    std::filesystem::create_directory(folder_ / "watched");
    std::ofstream(folder_ / "agent.toml")
        << "[agent]\nstate_dir = \"" << State().string()
        << "\"\nhost_name = \"front-desk\"\n[watch]\npaths = [\"" << (folder_ / "watched").string()
        << "\"]\n[dns]\nresolvers = [\"10.77.0.66\"]\n";
    std::ofstream(folder_ / "leeds.enroll")
        << WriteEnrollmentFile(fleet_.MakeEnrollment(gateway_->Address()));
  }

  std::filesystem::path State() const { return folder_ / "state"; }

  std::vector<std::string> Command(std::vector<std::string> args) const {
    args.insert(args.begin(), std::string(kBinaryDir) + "/bin/cordon-agent");
    args.insert(args.end(), {"--config", (folder_ / "agent.toml").string()});
    return args;
  }
  CommandResult Run(std::vector<std::string> args) const {
    return RunCommand(Command(std::move(args)), {.net_namespace = host_.Name()});
  }
  CommandResult Enroll() const { return Run({"enroll", (folder_ / "leeds.enroll").string()}); }
  void Start() {
    agent_ = std::make_unique<Subprocess>(Command({"run"}), SubprocessOptions{.net_namespace = host_.Name()});
    ASSERT_TRUE(Eventually([&] { return Run({"status"}).output.contains("\ncontroller    connected"); }))
        << agent_->Errors();
  }

  void Order(uint64_t sequence, const std::function<void(v1::Order*)>& what) {
    v1::Order order;
    order.set_order_id(NewUuid());
    order.set_fleet_id(fleet_.FleetId());
    order.mutable_target()->add_sites("leeds");
    order.set_not_before_unix_nanos(WallNowNanos() - kNanosPerSecond);
    order.set_expiry_unix_nanos(WallNowNanos() + TestFleet::kHour);
    order.set_sequence(static_cast<uint64_t>(WallNowNanos() / 1000) + sequence);
    order.set_reason("a drill");
    what(&order);
    v1::ControlResponse message;
    message.mutable_order()->set_order(order.SerializeAsString());
    *message.mutable_order()->add_signatures() =
        Must(SignOrder(message.order().order(), fleet_.OperatorId(), fleet_.OperatorKey()));
    gateway_->Send(message);
  }
  void OrderEssential() {
    Order(1, [](v1::Order* order) {
      order->mutable_isolate()->set_level(v1::LEVEL_ESSENTIAL);
      order->mutable_isolate()->set_fallback(v1::FALLBACK_HOLD);
      order->mutable_isolate()->mutable_profile()->set_name("clinic");
    });
  }
  bool OutcomeComes(v1::OrderOutcome::State state) const {
    return gateway_->WaitForMessage(
        [state](const auto& m) { return m.has_outcome() && m.outcome().state() == state; });
  }
  bool PingsPeer() const {
    return RunCommand({"ping", "-c1", "-W1", "10.77.0.66"}, {.net_namespace = host_.Name()}).status == 0;
  }

  TestFleet fleet_;
  NetNamespace host_{"agent"};
  NetNamespace peer_{"peer"};
  TempFolder folder_;
  std::unique_ptr<FakeGateway> gateway_;
  std::unique_ptr<Subprocess> agent_;
};

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
