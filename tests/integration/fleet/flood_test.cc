// Strangers at the controller's door, with the real program: its descriptors run out (AUT-6).

#include <gtest/gtest.h>

#include "tests/support/crowd.h"
#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

TEST(ControllerFlood, AUT6_TheListenerComesBackAndWhoIsConnectedStays) {
  Fleet fleet;
  fleet.Enroll();
  fleet.KillController();
  fleet.StartController({"bash", "-c", "ulimit -n 256; exec \"$@\"", "few-files"});
  fleet.StartAgent();
  const std::string host = std::string(fleet.CtlJson({"hosts"}).at(0).at("host").as_string());
  {
    const Crowd crowd({.source = "10.99.0.20",
                       .to = "10.99.0.10",
                       .port = 8443,
                       .count = 400,
                       .net_namespace = fleet.Host().Name()});
    EXPECT_GT(crowd.Open(), 50) << "too few to show anything";
    EXPECT_GE(crowd.Refused(), 150);
    EXPECT_TRUE(fleet.Agent().Running());
  }
  // The agent's connection was there before, and is still the same one; a new one is served.
  EXPECT_TRUE(Eventually([&] { return fleet.TryCtl({"health", host}).status == 0; }));
  EXPECT_EQ(fleet.Ctl({"audit", "export", fleet.Folder("audit.jsonl").string()}).find("session.second"),
            std::string::npos);
  EXPECT_TRUE(fleet.AgentConnected());
}

}  // namespace
}  // namespace cordon::testing
