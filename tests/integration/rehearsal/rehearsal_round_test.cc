// Rehearse, isolate, compare: with the real programs and real flows, every flow that broke was foretold and
// none that lived was condemned.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <fstream>
#include <map>
#include <tuple>

#include "common/base/strings.h"
#include "tests/support/build_paths.h"
#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* kHost4 = "10.77.0.10";
constexpr const char* kHost6 = "fd77::10";
constexpr const char* kPeer4 = "10.77.0.66";
constexpr const char* kPeer6 = "fd77::66";

// Direction ("out", "in"), protocol, the peer's address, the accepting port.
using FlowKey = std::tuple<std::string, std::string, std::string, int64_t>;

struct KeptFlow {
  FlowKey key;
  std::unique_ptr<Subprocess> program;
  int asked = 0;
};

class RehearsalRound : public ::testing::Test {
 protected:
  RehearsalRound() {
    fleet_.Enroll();
    fleet_.StartAgent();
    std::ofstream(fleet_.Folder("clinic.toml")) << R"(name = "front-desk"
[[allow]]
comment = "the practice system"
direction = "out"
protocol = "tcp"
networks = ["10.77.0.66/32", "fd77::66/128"]
ports = [8080]
[[allow]]
comment = "phones"
direction = "out"
protocol = "udp"
networks = ["10.77.0.0/24", "fd77::/64"]
ports = [5060]
[[allow]]
comment = "the console"
direction = "in"
protocol = "tcp"
networks = ["10.77.0.66/32", "fd77::66/128"]
ports = [3389]
[[allow]]
comment = "pings of the console"
direction = "in"
protocol = "udp"
networks = ["10.77.0.66/32", "fd77::66/128"]
ports = [7000]
)";
    peer_server_ =
        Talk(fleet_.Peer(), {"serve", "8080,4444", "5060,9999", "pms.example.vet", kPeer4, kPeer6});
    host_server_ = Talk(fleet_.Host(), {"serve", "3389,22", "7000,7001"});
    EXPECT_TRUE(peer_server_->WaitForOutput("serving"));
    EXPECT_TRUE(host_server_->WaitForOutput("serving"));
  }

  static std::unique_ptr<Subprocess> Talk(const NetNamespace& in, std::vector<std::string> args) {
    args.insert(args.begin(), {"python3", StrCat(kSourceDir, "/tests/integration/rehearsal/talk.py")});
    return std::make_unique<Subprocess>(std::move(args), SubprocessOptions{.net_namespace = in.Name()});
  }

  void Keep(const std::string& direction, const std::string& protocol, const std::string& address,
            int64_t port) {
    const bool out = direction == "out";
    const std::string there = address == kHost4 ? kPeer4 : kPeer6;
    flows_.push_back(
        {{direction, protocol, out ? address : there, port},
         Talk(out ? fleet_.Host() : fleet_.Peer(), {"keep", protocol, address, std::to_string(port)})});
  }

  static bool Lives(KeptFlow& flow) {
    const auto words = [&] {
      const std::string output = flow.program->Output();
      return std::ranges::count(output, '\n');
    };
    ++flow.asked;
    flow.program->Write("again\n");
    EXPECT_TRUE(Eventually([&] { return words() >= flow.asked; })) << flow.program->Errors();
    const std::string output = flow.program->Output();
    return output.ends_with("lives\n");
  }

  std::string Name() { return std::string(fleet_.CtlJson({"hosts"}).at(0).at("host").as_string()); }

  std::vector<std::string> Isolate(const std::vector<std::string>& more) {
    std::vector<std::string> args = {
        "isolate",    Name(), "--level",  "essential", "--profile", fleet_.Folder("clinic.toml").string(),
        "--fallback", "hold", "--reason", "a drill"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }

  boost::json::object Rehearse() {
    const std::vector<boost::json::object> lines = fleet_.CtlJson(Isolate({"--dry-run"}));
    EXPECT_EQ(lines.size(), 2U);
    EXPECT_TRUE(lines.at(0).at("dry_run").as_bool());
    return lines.at(1);
  }

  // The forecast of each kind. A kind that two programs share must be told alike.
  static std::map<FlowKey, boost::json::object> ByKind(const boost::json::object& rehearsal) {
    std::map<FlowKey, boost::json::object> kinds;
    for (const auto& each : rehearsal.at("flows").as_array()) {
      const boost::json::object& flow = each.as_object();
      const FlowKey key(
          std::string(flow.at("direction").as_string()), std::string(flow.at("protocol").as_string()),
          std::string(flow.at("remote_address").as_string()), flow.at("port").to_number<int64_t>());
      const auto [found, added] = kinds.emplace(key, flow);
      EXPECT_EQ(found->second.at("stays"), flow.at("stays")) << boost::json::serialize(flow);
    }
    return kinds;
  }

  Fleet fleet_;
  std::unique_ptr<Subprocess> peer_server_;
  std::unique_ptr<Subprocess> host_server_;
  std::vector<KeptFlow> flows_;
};

TEST_F(RehearsalRound, EveryFlowThatBrokeWasForetoldAndNoneThatLivedWasCondemned) {
  for (const char* peer : {kPeer4, kPeer6}) {
    for (const int64_t port : {8080, 4444}) Keep("out", "tcp", peer, port);
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
  EXPECT_EQ(lived, 8);
  EXPECT_EQ(broke, 8);
}

TEST_F(RehearsalRound, RemembersFlowsThatAreOverWithTheirNamesAndThroughARestart) {
  EXPECT_EQ(Talk(fleet_.Host(), {"ask", kPeer4, "pms.example.vet"})->Wait(), 0);
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
    EXPECT_EQ(found->second.at("remote_name"), "pms.example.vet");
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
