// The whole round with cordon-agent.exe under wine and a controller of this system: enrol → watch → order →
// answer.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "common/base/strings.h"
#include "tests/support/temp_folder.h"
#include "tests/wine/fleet/local_caller.h"
#include "tests/wine/fleet/windows_fleet.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class WindowsRound : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = WinePrefix::Missing(); !missing.empty()) GTEST_SKIP() << missing;
    fleet_ = std::make_unique<WindowsFleet>();
    fleet_->Enroll();
    fleet_->StartAgent();
  }

  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(fleet_->WatchedFolder() / name) << text;
  }

  // A program that runs long enough for the polling sensor, with `tag` among its arguments.
  CommandResult RunTagged(const std::string& tag) const {
    return fleet_->Windows().Run({"cmd.exe", "/c", "ping -n 3 127.0.0.1 & rem", tag});
  }

  // What `order … --wait` prints last: the host's outcome, whatever it is.
  boost::json::object OutcomeOf(std::vector<std::string> args) const {
    args.insert(args.begin(), {"-o", "json"});
    args.insert(args.end(), {"--reason", "a drill", "--wait", "--yes", "--timeout", "60s"});
    const CommandResult result = fleet_->TryCtl(std::move(args));
    std::istringstream lines(result.output);
    std::string last;
    for (std::string line; std::getline(lines, line);) last = line;
    if (!last.starts_with('{'))
      throw std::runtime_error(StrCat("no outcome: ", result.output, result.errors));
    return boost::json::parse(last).as_object();
  }

  std::unique_ptr<WindowsFleet> fleet_;
};

TEST_F(WindowsRound, StreamsProcessAndFileEvents) {
  Write("record.txt", "a patient");
  EXPECT_EQ(RunTagged("tagged-by-the-test").status, 0);
  EXPECT_TRUE(fleet_->EventArrives("file", "record.txt"));
  EXPECT_TRUE(fleet_->EventArrives("process", "tagged-by-the-test"));
  EXPECT_FALSE(fleet_->EventArrives("file", "never-made.txt", std::chrono::seconds(0)));
}

TEST_F(WindowsRound, ScansAgainstABaseline) {
  Write("before.txt", "as it was");
  Write("steady.txt", "as it is");
  const std::string name = fleet_->HostName();
  const auto made = OutcomeOf({"scan", "integrity", name, "--create", "--full-speed"});
  EXPECT_EQ(made.at("state"), "done") << boost::json::serialize(made);
  Write("before.txt", "as it is not");
  Write("after.txt", "was not there");
  const auto checked = OutcomeOf({"scan", "integrity", name, "--check", "--full-speed"});
  EXPECT_EQ(checked.at("state"), "done") << boost::json::serialize(checked);
  EXPECT_TRUE(fleet_->EventArrives("finding", "before.txt"));
  EXPECT_TRUE(fleet_->EventArrives("finding", "after.txt"));
  EXPECT_FALSE(fleet_->EventArrives("finding", "steady.txt", std::chrono::seconds(0)));
}

TEST_F(WindowsRound, FindsWhatRulesDescribe) {
  const TempFolder outside;
  std::ofstream(outside / "rules.yar") << "rule evil { strings: $a = \"EVIL\" condition: $a }\n";
  Write("by-rule.txt", "an EVIL file");
  Write("harmless.txt", "a good file");
  const auto done = OutcomeOf({"scan", "indicators", fleet_->HostName(), "--yara",
                               (outside / "rules.yar").string(), "--path", "C:\\watched", "--full-speed"});
  const std::string text = boost::json::serialize(done);
  if (text.contains("no YARA"))
    GTEST_SKIP() << "the agent was built without YARA: its source could not be had";
  EXPECT_EQ(done.at("state"), "done") << text;
  EXPECT_TRUE(fleet_->EventArrives("finding", "by-rule.txt"));
  EXPECT_TRUE(fleet_->EventArrives("finding", "rules.yar:evil"));
  EXPECT_FALSE(fleet_->EventArrives("finding", "harmless.txt", std::chrono::seconds(0)));
}

TEST_F(WindowsRound, AnswersHealthToEveryoneAndStatusToAdministrators) {
  const CommandResult status = fleet_->Agent({"status"});
  EXPECT_EQ(status.status, 0) << status.errors;
  EXPECT_THAT(status.output, HasSubstr("connected to 127.0.0.1"));
  const CommandResult json = fleet_->Agent({"status", "-o", "json"});
  EXPECT_THAT(json.output, HasSubstr("\"connected\":true"));

  const LocalCaller caller(fleet_->StateFolder() / "agent.local");
  EXPECT_TRUE(Eventually([&] { return caller.Health("cordon.link") == "\x08\x01"; })) << "SERVING";
  EXPECT_EQ(caller.Health("cordon.isolation"), "\x08\x02") << "NOT_SERVING: there is no WFP under wine";
  EXPECT_EQ(caller.Health("cordon.unknown"), "error 5");
  EXPECT_THAT(caller.Status(/*with_secret=*/true), HasSubstr("leeds"));
  EXPECT_EQ(caller.Status(/*with_secret=*/false), "error 7") << "PERMISSION_DENIED";
}

TEST_F(WindowsRound, ISO7_AnIsolateOrderIsNotAnsweredByContained) {
  const std::string name = fleet_->HostName();
  const auto outcome = OutcomeOf({"isolate", name, "--level", "essential", "--fallback", "hold"});
  const std::string text = boost::json::serialize(outcome);
  EXPECT_EQ(outcome.at("state"), "refused") << text;
  EXPECT_THAT(text, HasSubstr("WFP is not available"));
  const std::string status = fleet_->Agent({"status"}).output;
  EXPECT_THAT(status, HasSubstr("observe, open"));
  EXPECT_THAT(status, HasSubstr("WFP is not available"));
  EXPECT_THAT(status, Not(HasSubstr("contained")));
  EXPECT_TRUE(fleet_->AgentConnected());
}

TEST_F(WindowsRound, SurvivesAControllerThatIsKilled) {
  fleet_->KillController();
  Write("away.txt", "while nobody listens");
  fleet_->StartController();
  EXPECT_TRUE(fleet_->EventArrives("file", "away.txt", std::chrono::seconds(90)));
}

}  // namespace
}  // namespace cordon::testing
