// Strangers at the controller's door, with the real program: its descriptors run out,
// and it is kept busy (AUT-6).

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/crowd.h"
#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

double CpuSeconds(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  int64_t user = 0;
  int64_t system = 0;
  fields >> user >> system;
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

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

// Sources beyond counting, each within its bounds, cost the controller an answer each: who belongs to the
// fleet is served meanwhile.
TEST(ControllerFlood, AUT6_HandshakesOfStrangersFromManySourcesKeepNobodyOut) {
  Fleet fleet;
  fleet.Enroll();
  fleet.StartAgent();
  const std::string host = std::string(fleet.CtlJson({"hosts"}).at(0).at("host").as_string());
  std::vector<std::string> sources;
  for (int at = 100; at < 164; ++at) {
    sources.push_back(fmt::format("10.99.0.{}", at));
    fleet.Host().Ip("address add " + sources.back() + "/24 dev wan0");
  }
  const double before = CpuSeconds(fleet.Controller().Pid());
  HandshakeFlood flood({.sources = sources,
                        .to = "10.99.0.10",
                        .port = 8443,
                        .seconds = 8,
                        .net_namespace = fleet.Host().Name()});
  int answered = 0;
  while (flood.Running()) {
    EXPECT_EQ(fleet.TryCtl({"health", host}).status, 0);
    ++answered;
  }
  const int handshakes = flood.Count();
  const double cpu = CpuSeconds(fleet.Controller().Pid()) - before;
  EXPECT_GE(handshakes, 200) << "too few to show anything";
  EXPECT_GE(answered, 3);
  EXPECT_TRUE(fleet.AgentConnected());
  fmt::print("{} handshakes of strangers, {:.2f} ms of CPU each; {} polls of health meanwhile\n", handshakes,
             cpu * 1e3 / handshakes, answered);
}

}  // namespace
}  // namespace cordon::testing
