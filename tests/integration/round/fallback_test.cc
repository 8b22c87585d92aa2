// What a host does that cannot reach its controller under the ordered level (ISO-4), and one that was off
// when it was ordered (ISO-9), with the real programs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "common/base/strings.h"
#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

constexpr int kPort = 4444;

class FallbackTest : public ::testing::Test {
 protected:
  FallbackTest() { fleet_.Enroll(); }

  // The host's line goes through a program of its own, as with a proxy or a VPN: what the agent sends is
  // turned to it, and it dials the controller from a socket that no level above no-lateral lets out.
  void PutAProxyInBetween() {
    fleet_.Host().Run(
        {"nft",
         "add table ip detour; add chain ip detour out { type nat hook output priority -100; }; "
         "add rule ip detour out ip daddr 10.99.0.10 tcp dport 8443 meta mark 0x0c04d071 "
         "redirect to :9443"});
    proxy_ = std::make_unique<Subprocess>(std::vector<std::string>{"python3", "-c", R"(
import socket, threading
def pump(a, b):
    try:
        while data := a.recv(65536): b.sendall(data)
    except OSError: pass
    for s in (a, b):
        try: s.shutdown(socket.SHUT_RDWR)
        except OSError: pass
def serve(c):
    try: s = socket.create_connection(("10.99.0.10", 8443), 3)
    except OSError: c.close(); return
    s.settimeout(None)
    threading.Thread(target=pump, args=(c, s), daemon=True).start()
    pump(s, c)
listener = socket.create_server(("0.0.0.0", 9443))
print("listening", flush=True)
while True:
    c, _ = listener.accept()
    threading.Thread(target=serve, args=(c,), daemon=True).start()
)"},
                                          SubprocessOptions{.net_namespace = fleet_.Host().Name()});
    ASSERT_TRUE(proxy_->WaitForOutput("listening")) << proxy_->Errors();
  }

  void Isolate(const std::string& fallback) {
    fleet_.Ctl(
        {"isolate", Name(), "--level", "essential", "--fallback", fallback, "--reason", "a drill", "--yes"});
  }
  std::string Name() { return std::string(fleet_.CtlJson({"hosts"}).at(0).at("host").as_string()); }
  bool Connected() { return fleet_.CtlJson({"hosts"}).at(0).at("state") == "connected"; }
  std::string Status() {
    return RunCommand(
               {Fleet::Program("cordon-agent"), "status", "--config", fleet_.Folder("agent.toml").string()},
               {.net_namespace = fleet_.Host().Name()})
        .output;
  }
  bool PingsPeer() {
    return RunCommand({"ping", "-c1", "-W1", "10.77.0.66"}, {.net_namespace = fleet_.Host().Name()}).status ==
           0;
  }

  Fleet fleet_;
  std::unique_ptr<Subprocess> proxy_;
};

TEST_F(FallbackTest, ISO4_StepDownIsOneLevelAndComesBackWhenTheControllerIsReached) {
  PutAProxyInBetween();
  fleet_.StartAgent();
  ASSERT_TRUE(PingsPeer());
  Isolate("step-down");
  EXPECT_TRUE(fleet_.Agent().WaitForErrors("essential in force")) << fleet_.Agent().Errors();
  EXPECT_TRUE(
      Eventually([&] { return Status().contains("enforced    no-lateral"); }, std::chrono::seconds(60)))
      << Status() << fleet_.Agent().Errors();
  EXPECT_TRUE(Eventually([&] { return Connected(); }, std::chrono::seconds(60))) << Status();
  EXPECT_TRUE(PingsPeer()) << "no further down than it takes, and no less";
  EXPECT_THAT(Status(), HasSubstr("stepped down to no-lateral as the order says"));
  // The line is repaired: what was ordered is back by itself.
  proxy_->Kill();
  fleet_.Host().Run({"nft", "delete table ip detour"});
  EXPECT_TRUE(Eventually([&] { return Status().contains("isolation     essential, contained"); },
                         std::chrono::seconds(150)))
      << Status() << fleet_.Agent().Errors();
  EXPECT_FALSE(PingsPeer());
}

TEST_F(FallbackTest, ISO4_HoldStaysClosedWithoutTheController) {
  PutAProxyInBetween();
  fleet_.StartAgent();
  ASSERT_TRUE(PingsPeer());
  Isolate("hold");
  EXPECT_TRUE(fleet_.Agent().WaitForErrors("the order says hold", std::chrono::seconds(60)))
      << fleet_.Agent().Errors();
  EXPECT_FALSE(PingsPeer());
  EXPECT_THAT(Status(), HasSubstr("isolation     essential, contained"));
  EXPECT_THAT(Status(), HasSubstr("NOT connected"));
  fleet_.KillAgent();  // and after a restart
  proxy_->Kill();
  fleet_.Host().Run({"nft", "delete table ip detour"});
  EXPECT_FALSE(PingsPeer());
  fleet_.StartAgent();  // the line is repaired: the controller is reached, the level stays
  EXPECT_FALSE(PingsPeer());
}

// The command that scripts/demo shows: its outcome cannot come any more once the level is in force.
TEST_F(FallbackTest, AHostThatIsOrderedDarkSaysSoWithItsLastWordAndComesBackWithTheLease) {
  fleet_.StartAgent();
  ASSERT_TRUE(PingsPeer());
  const CommandResult dark =
      fleet_.TryCtl({"isolate", Name(), "--level", "dark", "--fallback", "hold", "--reason", "a drill",
                     "--for", "1m", "--then", "no-lateral", "--wait", "--timeout", "20s"});
  EXPECT_EQ(dark.status, 0) << dark.output << dark.errors;
  EXPECT_THAT(dark.output, HasSubstr("1 going dark, not to be heard again"));
  EXPECT_TRUE(fleet_.Agent().WaitForErrors("dark in force")) << fleet_.Agent().Errors();
  EXPECT_FALSE(PingsPeer());
  const auto state = [&] { return fleet_.CtlJson({"hosts"}).at(0).at("state"); };
  EXPECT_TRUE(Eventually([&] { return state() == "dark"; }, std::chrono::seconds(50))) << state();
  EXPECT_TRUE(Eventually([&] { return state() == "connected"; }, std::chrono::seconds(120))) << Status();
  EXPECT_THAT(Status(), HasSubstr("isolation     no-lateral, contained"));
  EXPECT_TRUE(Eventually([&] {
    const auto counts = fleet_.CtlJson({"orders"}).at(0).at("counts").as_object();
    return counts.contains("STATE_DONE") || counts.contains("done");
  })) << fleet_.Ctl({"orders"});
}

// From the first moment of the network on, somebody else in the LAN tries to reach a service of the host.
class OfflineOrderTest : public FallbackTest {
 protected:
  void Serve() {
    service_ = std::make_unique<Subprocess>(
        std::vector<std::string>{"python3", "-m", "http.server", std::to_string(kPort)},
        SubprocessOptions{.working_dir = fleet_.WatchedFolder(), .net_namespace = fleet_.Host().Name()});
    knocker_ = std::make_unique<Subprocess>(std::vector<std::string>{"python3", "-c", R"(
import socket, sys, time
while True:
    s = socket.socket(); s.settimeout(0.1)
    try: s.connect(("10.77.0.10", int(sys.argv[1]))); print("reached", flush=True)
    except OSError: print("shut", flush=True)
    s.close(); time.sleep(0.02)
)",
                                                                     std::to_string(kPort)},
                                            SubprocessOptions{.net_namespace = fleet_.Peer().Name()});
  }

  // Off, while the order comes; on again. In this kernel nothing is left of Cordon, and the boot is another
  // one.
  void SwitchOffAndOrder() {
    fleet_.StartAgent();
    ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(fleet_.Folder("agent") / "boot-hold"); }));
    const std::string name = Name();
    fleet_.StopAgent();
    fleet_.Ctl(
        {"isolate", name, "--level", "essential", "--fallback", "hold", "--reason", "a drill", "--yes"});
    fleet_.Host().Ip("link set lan0 down");
    const std::filesystem::path hold = fleet_.Folder("agent") / "boot-hold";
    std::ifstream file(hold);
    std::string magic, boot, began, over, length;
    file >> magic >> boot >> began >> over >> length;
    std::ofstream(hold) << StrCat(magic, " the-boot-before 0 1 ", length, "\n");
  }
  void SwitchOn() {
    keeper_ = std::make_unique<Subprocess>(
        std::vector<std::string>{Fleet::Program("cordon-keeper"), "--state", fleet_.Folder("agent").string()},
        SubprocessOptions{.net_namespace = fleet_.Host().Name()});
    ASSERT_TRUE(keeper_->WaitForErrors("the saved state is in force")) << keeper_->Errors();
    fleet_.Host().Ip("link set lan0 up");
    Serve();
    ASSERT_TRUE(knocker_->WaitForOutput("\n"));
  }
  bool EssentialIsInForce() {
    return Eventually([&] { return Status().contains("isolation     essential, contained\n"); });
  }

  std::unique_ptr<Subprocess> service_;
  std::unique_ptr<Subprocess> knocker_;
  std::unique_ptr<Subprocess> keeper_;
};

TEST_F(OfflineOrderTest, ISO9_AHostThatWasOffIsReachedByNobodyBeforeItHasTheOrderItMissed) {
  SwitchOffAndOrder();
  SwitchOn();
  fleet_.StartAgent();
  EXPECT_TRUE(EssentialIsInForce()) << Status();
  EXPECT_TRUE(knocker_->WaitForOutput("shut"));
  EXPECT_THAT(knocker_->Output(), ::testing::Not(HasSubstr("reached")));
}

TEST_F(OfflineOrderTest, WithoutTheHoldItIsReachedUntilTheOrderComes) {
  std::ofstream(fleet_.Folder("agent.toml"), std::ios::app) << "[isolation]\nhold_until_connected_s = 0\n";
  SwitchOffAndOrder();
  SwitchOn();
  EXPECT_TRUE(knocker_->WaitForOutput("reached"));
  fleet_.StartAgent();
  EXPECT_TRUE(EssentialIsInForce()) << Status();
}

TEST_F(OfflineOrderTest, AHostWithoutAnOrderIsFreeAsSoonAsTheControllerWasAsked) {
  SwitchOffAndOrder();
  fleet_.Ctl({"release", Name(), "--reason", "a mistake", "--yes"});
  SwitchOn();
  EXPECT_THAT(knocker_->Output(), ::testing::Not(HasSubstr("reached")));
  fleet_.StartAgent();
  EXPECT_TRUE(fleet_.Agent().WaitForErrors("held at controller-only")) << fleet_.Agent().Errors();
  EXPECT_TRUE(knocker_->WaitForOutput("reached")) << Status();
  EXPECT_THAT(Status(), HasSubstr("isolation     observe, open"));
}

}  // namespace
}  // namespace cordon::testing
