// The fleet gets another certificate authority, with the real programs: at no step is a host or an operator
// shut out that was not before, and a step that would do it is refused (design.md §8).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

class CaChange : public ::testing::Test {
 protected:
  // `through`: see Fleet::StartController.
  explicit CaChange(std::vector<std::string> through = {}) : through_(std::move(through)) {
    if (!through_.empty()) {
      fleet_.KillController();
      fleet_.StartController(through_);
    }
    fleet_.Enroll();
    fleet_.StartAgent();
    host_id_ = std::string(fleet_.CtlJson({"hosts"}).at(0).at("host_id").as_string());
  }

  // With no controller running, as it asks for.
  CommandResult Ca(const std::string& step) {
    fleet_.KillController();
    CommandResult result = RunCommand(
        {Fleet::Program("cordon-controller"), "ca", step, "--data", fleet_.Folder("controller").string()});
    fleet_.StartController(through_);
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

  // True when the host shows a certificate that `ca_file` alone has issued.
  bool HostHasOneOf(const std::string& ca_file) {
    return RunCommand({"openssl", "verify", "-no-CApath", "-CAfile", ca_file,
                       (fleet_.Folder("agent") / "host.crt").string()})
               .status == 0;
  }

  Fleet fleet_;
  std::string host_id_;
  const std::vector<std::string> through_;
};

// Hosts renew after half a minute.
class ShortCertificates : public CaChange {
 protected:
  ShortCertificates() : CaChange({"env", "CORDON_HOST_CERTIFICATES=1m"}) {}
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

// AUT-1: hosts come to the new CA by themselves, at half of their certificate's life, with a line that never
// breaks; then the old CA can go.
TEST_F(ShortCertificates, AUT1_AHostRenewsItselfToTheNewCaAndTheOldOneGoes) {
  ASSERT_EQ(Ca("prepare").status, 0);
  Trust({Pki("ca.crt"), Pki("ca-next.crt")});
  ASSERT_EQ(Ca("use").status, 0);
  ASSERT_TRUE(HostIsReached());
  fleet_.Ctl({"operator", "renew"});
  ASSERT_FALSE(HostHasOneOf(Pki("ca.crt"))) << "it renewed too early for this test";
  bool reached = true;
  EXPECT_TRUE(Eventually(
      [&] {
        reached = reached && fleet_.TryCtl({"health", host_id_}).status == 0;
        return HostHasOneOf(Pki("ca.crt"));
      },
      std::chrono::seconds(90)));
  EXPECT_TRUE(reached) << "the host was out of reach while its certificate was renewed";
  EXPECT_TRUE(HostIsReached());

  Trust({Pki("ca.crt")});
  const CommandResult retired = Ca("retire");
  EXPECT_EQ(retired.status, 0) << retired.errors;
  EXPECT_TRUE(HostIsReached()) << "when the old CA is gone";
}

}  // namespace
}  // namespace cordon::testing
