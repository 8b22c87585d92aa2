// The fleet gets another certificate authority, with the real programs: at no step is a host or an operator
// shut out that was not before, and a step that would do it is refused (design.md §8).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

class CaChange : public ::testing::Test {
 protected:
  CaChange() {
    fleet_.Enroll();
    fleet_.StartAgent();
    host_id_ = std::string(fleet_.CtlJson({"hosts"}).at(0).at("host_id").as_string());
  }

  // With no controller running, as it asks for.
  CommandResult Ca(const std::string& step) {
    fleet_.KillController();
    CommandResult result = RunCommand(
        {Fleet::Program("cordon-controller"), "ca", step, "--data", fleet_.Folder("controller").string()});
    fleet_.StartController();
    return result;
  }
  std::string Pki(const std::string& file) { return (fleet_.Folder("controller") / "pki" / file).string(); }
  void Trust(const std::vector<std::string>& files) {
    std::vector<std::string> args{"trust", "ca"};
    args.insert(args.end(), files.begin(), files.end());
    args.insert(args.end(), {"--reason", "a new CA", "--yes"});
    fleet_.Ctl(args);
    EXPECT_TRUE(Eventually([&] {  // the newest order, which is the first of the list
      const boost::json::object counts = fleet_.CtlJson({"orders"}).at(0).at("counts").as_object();
      return counts.contains("done") && counts.at("done") == 1;
    }));
  }
  bool HostIsReached() {
    return Eventually([&] { return fleet_.TryCtl({"health", host_id_}).status == 0; });
  }

  Fleet fleet_;
  std::string host_id_;
};

TEST_F(CaChange, GoesStepByStepAndRefusesOneThatWouldShutSomebodyOut) {
  ASSERT_TRUE(HostIsReached());
  ASSERT_EQ(Ca("prepare").status, 0);
  const CommandResult early = Ca("use");
  EXPECT_NE(early.status, 0);
  EXPECT_THAT(early.errors, HasSubstr("does not name both CAs"));
  EXPECT_TRUE(HostIsReached());

  Trust({Pki("ca.crt"), Pki("ca-next.crt")});
  EXPECT_TRUE(HostIsReached());
  const CommandResult used = Ca("use");
  ASSERT_EQ(used.status, 0) << used.errors;
  EXPECT_TRUE(HostIsReached()) << "with a certificate of the old CA, at a controller with one of the new";

  // What is given out now is of the new one.
  fleet_.Ctl({"operator", "renew"});
  const std::string file = fleet_.Folder("york.enroll").string();
  fleet_.Ctl({"enrollment", "create", "--site", "york", "--uses", "1", "--for", "1h", "--out", file});
  const CommandResult joined = RunCommand(
      {Fleet::Program("cordon-agent"), "enroll", file, "--state", fleet_.Folder("second").string()},
      {.net_namespace = fleet_.Host().Name()});
  EXPECT_EQ(joined.status, 0) << joined.errors;

  const CommandResult named = Ca("retire");
  EXPECT_NE(named.status, 0);
  EXPECT_THAT(named.errors, HasSubstr("still names the old CA"));
  Trust({Pki("ca.crt")});
  EXPECT_TRUE(HostIsReached());
  const CommandResult too_early = Ca("retire");
  EXPECT_NE(too_early.status, 0);
  EXPECT_THAT(too_early.errors, HasSubstr("no certificate of the new CA yet"));
  EXPECT_TRUE(HostIsReached());
}

}  // namespace
}  // namespace cordon::testing
