// The whole round with the real programs: enrol → watch → isolate → read the receipt → release.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <fstream>

#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

constexpr int kIntruderPort = 4444;
constexpr int kPracticePort = 8080;

// The other machine of the LAN is two in one: what the clinic needs, and what it must be cut from.
class RoundTest : public ::testing::Test {
 protected:
  RoundTest() : intruder_(Listen(kIntruderPort)), practice_(Listen(kPracticePort)) {
    fleet_.Enroll();
    fleet_.StartAgent();
    std::ofstream(fleet_.Folder("clinic.toml")) << R"(name = "front-desk"
[[allow]]
comment = "the practice system"
direction = "out"
protocol = "tcp"
networks = ["10.77.0.66/32", "fd77::66/128"]
ports = [8080]
)";
    EXPECT_TRUE(Eventually([&] { return Reaches(kIntruderPort) && Reaches(kPracticePort); }));
  }

  std::unique_ptr<Subprocess> Listen(int port) {
    return std::make_unique<Subprocess>(
        std::vector<std::string>{
            "python3", "-c",
            "import http.server, socket, sys\n"
            "http.server.HTTPServer.address_family = socket.AF_INET6\n"
            "http.server.test(HandlerClass=http.server.SimpleHTTPRequestHandler,"
            "ServerClass=http.server.ThreadingHTTPServer,port=int(sys.argv[1]),bind='::')",
            std::to_string(port)},
        SubprocessOptions{.working_dir = fleet_.WatchedFolder(), .net_namespace = fleet_.Peer().Name()});
  }

  bool Reaches(int port) const {
    return Fleet::Connects(fleet_.Host(), "10.77.0.66", port) &&
           Fleet::Connects(fleet_.Host(), "fd77::66", port);
  }
  bool Shut(int port) const {
    return !Fleet::Connects(fleet_.Host(), "10.77.0.66", port) &&
           !Fleet::Connects(fleet_.Host(), "fd77::66", port);
  }

  boost::json::object Host() { return fleet_.CtlJson({"hosts"}).at(0); }
  std::string Name() { return std::string(Host().at("host").as_string()); }

  // The objects that `isolate … --wait` and `release … --wait` print: the order, then the host's outcome.
  boost::json::object OutcomeOf(std::vector<std::string> args) {
    args.insert(args.end(), {"--reason", "a drill", "--wait", "--yes"});
    return fleet_.CtlJson(std::move(args)).back();
  }
  boost::json::object Isolate() {
    return OutcomeOf({"isolate", Name(), "--level", "essential", "--profile",
                      fleet_.Folder("clinic.toml").string(), "--fallback", "hold"});
  }

  bool EventArrives(const std::string& event_class, const std::string& text) {
    return Eventually([&] {
      return fleet_.Ctl({"-o", "json", "events", "--class", event_class, "--since", "10m"}).find(text) !=
             std::string::npos;
    });
  }

  Fleet fleet_;
  std::unique_ptr<Subprocess> intruder_;
  std::unique_ptr<Subprocess> practice_;
};

TEST_F(RoundTest, EnrolsWatchesIsolatesAndReleases) {
  fleet_.Host().Run({"sh", "-c", "echo patient > " + (fleet_.WatchedFolder() / "record.txt").string()});
  EXPECT_TRUE(EventArrives("file", "record.txt"));
  EXPECT_TRUE(EventArrives("process", "echo patient"));

  const boost::json::object isolated = Isolate();
  EXPECT_EQ(isolated.at("state"), "done") << boost::json::serialize(isolated);
  EXPECT_EQ(isolated.at("receipt").as_object().at("containment"), "contained")
      << boost::json::serialize(isolated);
  EXPECT_TRUE(Shut(kIntruderPort));
  EXPECT_TRUE(Reaches(kPracticePort));
  EXPECT_EQ(Host().at("state"), "connected") << "the agent's own channel stays open";

  const boost::json::object health = fleet_.CtlJson({"health", Name()}).at(0);
  EXPECT_TRUE(health.at("answered").as_bool()) << boost::json::serialize(health);

  const boost::json::object released = OutcomeOf({"release", Name()});
  EXPECT_EQ(released.at("state"), "done") << boost::json::serialize(released);
  EXPECT_EQ(released.at("receipt").as_object().at("containment"), "open");
  EXPECT_TRUE(Reaches(kIntruderPort));
  EXPECT_TRUE(EventArrives("control", "isolation_changed"));
  EXPECT_EQ(fleet_.TryCtl({"audit", "verify"}).status, 0);
}

TEST_F(RoundTest, ISO5_IsolationHoldsWhileTheAgentIsDeadAndWhenItIsBack) {
  ASSERT_EQ(Isolate().at("state"), "done");
  fleet_.KillAgent();
  EXPECT_TRUE(Shut(kIntruderPort));
  EXPECT_TRUE(Reaches(kPracticePort));
  fleet_.StartAgent();
  EXPECT_TRUE(Shut(kIntruderPort));
  EXPECT_TRUE(Reaches(kPracticePort));
}

TEST_F(RoundTest, AnOrderForAHostThatIsAwayIsTakenWhenItReturns) {
  const std::string name = Name();
  EXPECT_EQ(fleet_.StopAgent(), 0);
  fleet_.Ctl(
      {"isolate", name, "--level", "controller-only", "--fallback", "hold", "--reason", "a drill", "--yes"});
  EXPECT_TRUE(Reaches(kIntruderPort));
  fleet_.StartAgent();
  EXPECT_TRUE(Eventually([&] { return Shut(kIntruderPort) && Shut(kPracticePort); }));
}

TEST_F(RoundTest, TEL2_EventsSurviveAControllerThatIsKilled) {
  fleet_.KillController();
  fleet_.Host().Run({"sh", "-c", "echo while-away > " + (fleet_.WatchedFolder() / "away.txt").string()});
  fleet_.StartController();
  EXPECT_TRUE(EventArrives("file", "away.txt"));
  EXPECT_TRUE(EventArrives("process", "while-away"));
}

}  // namespace
}  // namespace cordon::testing
