// What arrives broken gets a clear error and changes nothing (AUT-6).

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "common/base/strings.h"
#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void WriteFile(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

std::string Noise(size_t size) {
  std::mt19937 random(7);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random() & 0xff);
  return bytes;
}

// Overwrites the middle of a file with noise, as a failing disk would.
void Damage(const std::filesystem::path& path) {
  std::string bytes = ReadFile(path);
  ASSERT_GT(bytes.size(), 100U) << path;
  const std::string noise = Noise(bytes.size() / 2);
  bytes.replace(bytes.size() / 4, noise.size(), noise);
  bytes.replace(0, 16, Noise(16));
  WriteFile(path, bytes);
}

TEST(BadInput, ACutOrRandomEnrolmentFileJoinsNothing) {
  Fleet fleet;
  const std::filesystem::path file = fleet.Folder("leeds.enroll");
  fleet.Ctl(
      {"enrollment", "create", "--site", "leeds", "--uses", "2", "--for", "1h", "--out", file.string()});
  const std::string good = ReadFile(file);
  for (const std::string& bad :
       {good.substr(0, good.size() / 2), Noise(4096), std::string(), good.substr(200)}) {
    WriteFile(fleet.Folder("bad.enroll"), bad);
    const CommandResult result = fleet.TryEnroll(fleet.Folder("bad.enroll"));
    EXPECT_EQ(result.status, 1) << result.output;
    EXPECT_NE(result.errors.find("enrol"), std::string::npos) << result.errors;
    EXPECT_FALSE(std::filesystem::exists(fleet.Folder("agent") / "host.key"));
  }
  EXPECT_EQ(fleet.TryEnroll(file).status, 0);  // the positive control
}

TEST(BadInput, ABrokenConfigNamesFileAndLine) {
  Fleet fleet;
  fleet.Enroll();
  for (const std::string& bad :
       {std::string("[agent\nstate_dir = 1"), std::string("[agent]\nno_such_key = 1\n"), Noise(500)}) {
    WriteFile(fleet.Folder("bad.toml"), bad);
    const CommandResult result =
        RunCommand({Fleet::Program("cordon-agent"), "run", "--config", fleet.Folder("bad.toml").string()},
                   {.net_namespace = fleet.Host().Name()}, std::chrono::seconds(10));
    EXPECT_TRUE(result.status == 1 || result.status == 2) << result.status;
    EXPECT_NE(result.errors.find("bad.toml"), std::string::npos) << result.errors;
  }
}

TEST(BadInput, ABrokenProfileIsRefusedBeforeAnythingIsSigned) {
  Fleet fleet;
  fleet.Enroll();
  fleet.StartAgent();
  const size_t orders = fleet.CtlJson({"orders", "list"}).size();
  for (const std::string& bad : {std::string("name = \"x\"\n[[allow]]\ndirection = \"sideways\"\n"),
                                 std::string("name = "), Noise(300),
                                 std::string("name = "
                                             "\"x\"\n[[allow]]\ndirection=\"out\"\nprotocol=\"tcp\"\nports=["
                                             "70000]\nnetworks=[\"10.0.0.0/8\"]\n")}) {
    WriteFile(fleet.Folder("bad.toml"), bad);
    const CommandResult result =
        fleet.TryCtl({"isolate", "--all", "--level", "essential", "--profile",
                      fleet.Folder("bad.toml").string(), "--fallback", "hold", "--reason", "test", "--yes"});
    EXPECT_TRUE(result.status == 1 || result.status == 2) << result.status;
    EXPECT_NE(result.errors.find("bad.toml"), std::string::npos) << result.errors;
  }
  EXPECT_EQ(fleet.CtlJson({"orders", "list"}).size(), orders);
}

TEST(BadInput, ADamagedStoreStopsTheControllerWithAMessage) {
  Fleet fleet;
  fleet.KillController();
  bool damaged = false;
  for (const auto& entry : std::filesystem::directory_iterator(fleet.Folder("controller"))) {
    if (entry.path().extension() != ".db") continue;
    Damage(entry.path());
    damaged = true;
  }
  ASSERT_TRUE(damaged);
  const CommandResult result =
      RunCommand({Fleet::Program("cordon-controller"), "serve", "--data", fleet.Folder("controller").string(),
                  "--listen", "127.0.0.1:8443"},
                 {.net_namespace = fleet.Outside().Name()}, std::chrono::seconds(10));
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.errors.find(".db"), std::string::npos) << result.errors;
}

TEST(BadInput, DamagedStateOfAnIsolatedHostIsSetAsideReportedAndTheBlockHolds) {
  Fleet fleet;
  fleet.Enroll();
  fleet.StartAgent();
  Subprocess listener({"python3", "-m", "http.server", "8080", "--bind", "10.77.0.66"},
                      {.net_namespace = fleet.Peer().Name()});
  ASSERT_TRUE(Eventually([&] { return Fleet::Connects(fleet.Host(), "10.77.0.66", 8080); }));
  fleet.Ctl({"isolate", "--all", "--level", "controller-only", "--fallback", "hold", "--reason", "test",
             "--yes", "--wait"});
  ASSERT_FALSE(Fleet::Connects(fleet.Host(), "10.77.0.66", 8080));
  fleet.KillAgent();
  Damage(fleet.Folder("agent") / "agent.db");
  WriteFile(fleet.Folder("agent") / "agent.db-wal", Noise(4096));  // else SQLite mends the file from it
  Damage(fleet.Folder("agent") / "isolation.state");
  fleet.StartAgent();
  EXPECT_FALSE(Fleet::Connects(fleet.Host(), "10.77.0.66", 8080));
  bool aside = false;
  for (const auto& entry : std::filesystem::directory_iterator(fleet.Folder("agent"))) {
    aside = aside || entry.path().filename().string().find("damaged") != std::string::npos;
  }
  EXPECT_TRUE(aside);
  EXPECT_TRUE(Eventually([&] {
    return fleet.Ctl({"-o", "json", "events", "--class", "control", "--since", "1h"}).find("state-damaged") !=
           std::string::npos;
  }));
  // And a new order still has its effect.
  fleet.Ctl({"release", "--all", "--reason", "test", "--yes", "--wait"});
  EXPECT_TRUE(Eventually([&] { return Fleet::Connects(fleet.Host(), "10.77.0.66", 8080); }));
}

}  // namespace
}  // namespace cordon::testing
