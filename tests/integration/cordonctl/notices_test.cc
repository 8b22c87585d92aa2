// What the controller itself finds about a host is told where operators look.

#include <gmock/gmock.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/cordonctl/two_people.h"

namespace cordon::ctl {
namespace {

using testing::ControlClient;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TelemetryClient;

class Notices : public TwoPeople {
 protected:
  // Two runs of one identity that take turns.
  void Clone() {
    const v1::ControlRequest one = testing::HelloOf("reception-1");
    const v1::ControlRequest other = testing::HelloOf("reception-1");
    std::vector<std::unique_ptr<ControlClient>> sessions;
    for (const v1::ControlRequest& hello : {one, other, one}) {
      sessions.push_back(host_.Control());
      ASSERT_TRUE(sessions.back()->Send(hello));
      ASSERT_TRUE(sessions.back()->Read().has_value());
    }
  }

  boost::json::array Told() {
    const Result hosts = Call("alex", {"hosts", "-o", "json"});
    return boost::json::parse(hosts.out).at("notices").as_array();
  }
};

TEST_F(Notices, AUT2_AClonedHostIsNamedAmongTheHostsAlsoAfterARestart) {
  EXPECT_TRUE(Told().empty());
  EXPECT_THAT(Call("alex", {"hosts"}).out, Not(HasSubstr("session.")));
  Clone();
  for (const bool restarted : {false, true}) {
    if (restarted) {
      box_.StopServer();
      box_.StartServer();
    }
    const Result table = Call("alex", {"hosts"});
    EXPECT_THAT(table.out, HasSubstr("session.cloned ")) << table.err;
    EXPECT_THAT(table.out, HasSubstr("    session.cloned ")) << "the sentence, below the host";
    EXPECT_THAT(table.out,
                HasSubstr(": a run of the agent that another one had replaced is back: two copies"));
    const boost::json::array told = Told();
    ASSERT_EQ(told.size(), 2U) << "the newest of each kind";
    EXPECT_EQ(told[0].at("kind"), "session.cloned");
    EXPECT_EQ(told[1].at("kind"), "session.second");
    EXPECT_GT(told[0].at("audit_index").to_number<uint64_t>(),
              told[1].at("audit_index").to_number<uint64_t>());
    const int64_t age = WallNowNanos() - told[0].at("time_unix_nanos").to_number<int64_t>();
    EXPECT_GE(age, 0);
    EXPECT_LT(age, 600 * kNanosPerSecond);
  }
}

TEST_F(Notices, AUT6_AHostThatIsHeldBackIsNamedAmongTheHostsAndOthersAreNot) {
  const testing::TestHost calm = box_.AddHost("calm");
  std::vector<std::unique_ptr<TelemetryClient>> streams;
  for (int i = 0; i < 9; ++i) {
    streams.push_back(host_.Telemetry());
    EXPECT_EQ(streams.back()->Read().has_value(), i < 8) << i;
  }
  std::string out;
  for (int i = 0; i < 100 && out.find("host.held_back") == std::string::npos; ++i) {
    out = Call("alex", {"hosts", "reception-1"}).out;  // it is noted behind the refusal
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_THAT(out, HasSubstr("host.held_back"));
  EXPECT_THAT(out, HasSubstr("opens more than 8 streams at once"));
  EXPECT_THAT(Call("alex", {"hosts", "calm"}).out, Not(HasSubstr("host.held_back")));
}

TEST_F(Notices, AnOldOneIsStillInItsColumnAndTheSentenceIsInTheAuditLog) {
  Clone();
  const auto in_two_days = [] { return WallNowNanos() + 48 * 3600 * kNanosPerSecond; };
  const Result table = testing::CallCtl(File("alex"), {"hosts"}, "", in_two_days);
  EXPECT_THAT(table.out, HasSubstr("session.cloned 2d"));
  EXPECT_THAT(table.out, Not(HasSubstr("two copies")));
  EXPECT_THAT(Call("alex", {"audit", "list", "--kind", "session.cloned"}).out, HasSubstr("two copies"));
}

}  // namespace
}  // namespace cordon::ctl
