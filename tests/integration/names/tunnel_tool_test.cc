// A real tool for tunnels through DNS, iodine, against the guard. tunnel_test.cc makes such questions itself.

#include <fcntl.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include "common/base/strings.h"
#include "platform/linux/system/fd.h"
#include "tests/integration/names/names_lab.h"
#include "tests/support/fleet.h"
#include "tests/support/subprocess.h"

namespace cordon::testing {
namespace {

using std::chrono_literals::operator""s;

constexpr const char* kServer = "10.9.0.4";
constexpr const char* kDomain = "tunnel.evil.example";
constexpr const char* kFarEnd = "10.53.0.1";

std::string ProgramNamed(const std::string& name) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(std::string(path == nullptr ? "" : path) +
                             ":/usr/sbin:/opt/iodine-for-tests/usr/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (std::filesystem::exists(std::filesystem::path(folder) / name)) return folder + "/" + name;
  }
  return "";
}

class TunnelTool : public NamesTest {
 protected:
  void SetUp() override {
    if (ProgramNamed("iodine").empty() || ProgramNamed("iodined").empty())
      GTEST_SKIP() << "no iodine here: scripts/bootstrap unpacks it";
    if (!platform::Fd(open("/dev/net/tun", O_RDWR | O_CLOEXEC)).Valid())
      GTEST_SKIP() << "no /dev/net/tun, by which the tool makes its interface";
    // To its far end by the tunnel, or not at all.
    host_.Ip("route add blackhole 10.53.0.0/24 metric 5000");
    server_ = std::make_unique<Subprocess>(
        std::vector<std::string>{ProgramNamed("iodined"), "-f", "-c", "-DD", "-l", kServer, "-P", "secret",
                                 StrCat(kFarEnd, "/24"), kDomain},
        SubprocessOptions{.net_namespace = world_.Name()});
    ASSERT_TRUE(Eventually([&] { return world_.Ip("-br address").contains(kFarEnd); }, 10s)) << Heard();
  }

  std::unique_ptr<Subprocess> StartClient() const {
    return std::make_unique<Subprocess>(
        std::vector<std::string>{ProgramNamed("iodine"), "-f", "-r", "-P", "secret", kServer, kDomain},
        SubprocessOptions{.net_namespace = host_.Name()});
  }
  bool PassesThrough() const {
    return RunCommand({"ping", "-c1", "-W1", kFarEnd}, {.net_namespace = host_.Name()}).status == 0;
  }
  // What the far side of the tunnel says of questions that came.
  std::string Heard() const { return server_->Output() + server_->Errors(); }
  size_t Questions() const {
    const std::string heard = Heard();
    size_t count = 0;
    for (size_t at = heard.find("RX:"); at != std::string::npos; at = heard.find("RX:", at + 1)) ++count;
    return count;
  }
  // Names, and what the tunnel carries: its far end is allowed, so that only the tunnel is in the way.
  void Close() {
    const v1::IsolateAction action = WithRule(Names({kPms, "*.cloud.example.vet"}), v1::DIRECTION_OUT,
                                              v1::TRANSPORT_PROTOCOL_ICMP, {StrCat(kFarEnd, "/32")});
    const auto receipt = agent_->Set(action, ++sequence_);
    ASSERT_TRUE(receipt.ok()) << receipt.status();
  }

  std::unique_ptr<Subprocess> server_;
};

TEST_F(TunnelTool, ISO3_IodineOpensNoTunnelThroughTheGuard) {
  {
    const auto client = StartClient();
    ASSERT_TRUE(Eventually([&] { return PassesThrough(); }, 30s))
        << "the positive control: " << client->Errors();
    EXPECT_GT(Questions(), 0U);
  }
  Close();
  std::this_thread::sleep_for(1s);  // what was on its way
  const size_t before = Questions();
  const auto client = StartClient();
  EXPECT_FALSE(Eventually([&] { return PassesThrough(); }, 10s));
  EXPECT_EQ(Questions(), before) << Heard();
  EXPECT_TRUE((client->Output() + client->Errors()).contains("REFUSED"))
      << "by the guard: " << client->Errors();
}

TEST_F(TunnelTool, ISO2_ATunnelOfIodineFromBeforeTheOrderEnds) {
  const auto client = StartClient();
  ASSERT_TRUE(Eventually([&] { return PassesThrough(); }, 30s))
      << "the positive control: " << client->Errors();
  Close();
  std::this_thread::sleep_for(1s);
  const size_t before = Questions();
  EXPECT_FALSE(Eventually([&] { return PassesThrough(); }, 5s));
  EXPECT_EQ(Questions(), before) << Heard();
}

}  // namespace
}  // namespace cordon::testing
