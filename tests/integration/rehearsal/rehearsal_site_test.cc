// The sum over a site with two real agents, and then the order: what the sum said is what happened on both.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/rehearsal/rehearsal_round.h"

namespace cordon::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

constexpr const char* kHostName = "front-desk-2";

// A second workstation of the site, which reaches the server at the same address.
class SecondHost {
 public:
  explicit SecondHost(Fleet& fleet) {
    ConnectByVeth({host_, "lan0", {"10.78.0.20/24"}}, {fleet.Peer(), "lan1", {"10.78.0.66/24"}});
    ConnectByVeth({host_, "wan0", {"10.98.0.20/24"}}, {fleet.Outside(), "wan1", {"10.98.0.10/24"}});
    host_.Ip("route add 10.77.0.66 via 10.78.0.66");
    host_.Ip("route add 10.99.0.10 via 10.98.0.10");
    const std::string config = fleet.Folder("agent2.toml").string();
    std::filesystem::create_directory(fleet.Folder("watched2"));
    std::ofstream(config) << "[agent]\nstate_dir = \"" << fleet.Folder("agent2").string()
                          << "\"\nhost_name = \"" << kHostName << "\"\n[watch]\npaths = [\""
                          << fleet.Folder("watched2").string() << "\"]\n[dns]\nresolvers = [\"" << kPeer4
                          << "\"]\n";
    const std::string agent = Fleet::Program("cordon-agent");
    MustRun(
        {agent, "enroll", fleet.Folder("leeds.enroll").string(), "--state", fleet.Folder("agent2").string()},
        {.net_namespace = host_.Name()});
    agent_ = std::make_unique<Subprocess>(std::vector<std::string>{agent, "run", "--config", config},
                                          SubprocessOptions{.net_namespace = host_.Name()});
  }
  const NetNamespace& Inside() const { return host_; }
  std::string Errors() const { return agent_->Errors(); }

 private:
  NetNamespace host_{"host2"};
  const MarksOf marks_{host_};
  std::unique_ptr<Subprocess> agent_;
};

class RehearsalOfASite : public RehearsalRound {
 protected:
  std::string Isolate(const std::string& more) {
    std::vector<std::string> args = {"isolate",
                                     "--site",
                                     "leeds",
                                     "--level",
                                     "essential",
                                     "--profile",
                                     fleet_.Folder("clinic.toml").string(),
                                     "--fallback",
                                     "hold",
                                     "--reason",
                                     "a drill",
                                     more};
    if (more == "--yes") args.emplace_back("--wait");
    return fleet_.Ctl(std::move(args));
  }
  bool BothConnected() {
    int connected = 0;
    for (const auto& host : fleet_.CtlJson({"hosts"})) connected += host.at("state") == "connected" ? 1 : 0;
    return connected == 2;
  }

  SecondHost second_{fleet_};
};

TEST_F(RehearsalOfASite, TheSumSaysOnHowManyHostsAKindIsCutAndThatIsWhatHappens) {
  ASSERT_TRUE(Eventually([&] { return BothConnected(); })) << second_.Errors();
  const auto keep_on_second = [&](const std::string& port) {
    flows_.push_back({{}, Talk(second_.Inside(), {"keep", "tcp", kPeer4, port})});
    return &flows_.back();
  };
  flows_.reserve(4);
  Keep("out", "tcp", kPeer4, 4444);  // no rule allows it, on both hosts
  KeptFlow* const cut_here = &flows_.back();
  KeptFlow* const cut_there = keep_on_second("4444");
  Keep("out", "tcp", kPeer4, 8080);  // a rule allows it, on both
  KeptFlow* const kept_here = &flows_.back();
  KeptFlow* const kept_there = keep_on_second("8080");
  for (KeptFlow& flow : flows_) ASSERT_TRUE(Lives(flow)) << "before";
  const auto cut_on_second_alone = Talk(second_.Inside(), {"keep", "tcp", kPeer4, "8082"});
  cut_on_second_alone->Write("again\n");
  ASSERT_TRUE(cut_on_second_alone->WaitForOutput("lives"));

  const std::string shown = Isolate("--dry-run");
  EXPECT_THAT(shown, HasSubstr("Nothing was sent"));
  EXPECT_THAT(shown, ContainsRegex("2 +0 +[^ ]*python3[^ ]* +out +10.77.0.66 +tcp/4444 +open now"));
  EXPECT_THAT(shown, ContainsRegex("0 +2 +[^ ]*python3[^ ]* +out +10.77.0.66 +tcp/8080 +open now"));
  EXPECT_THAT(shown, ContainsRegex("1 +0 +[^ ]*python3[^ ]* +out +10.77.0.66 +tcp/8082 +open now"));
  EXPECT_THAT(shown, ContainsRegex(StrCat(kHostName, " +leeds +[1-9]")));
  for (KeptFlow& flow : flows_) EXPECT_TRUE(Lives(flow)) << "a rehearsal changes nothing";

  Isolate("--yes");
  EXPECT_FALSE(Lives(*cut_here));
  EXPECT_FALSE(Lives(*cut_there));
  EXPECT_TRUE(Lives(*kept_here));
  EXPECT_TRUE(Lives(*kept_there));
}

}  // namespace
}  // namespace cordon::testing
