#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/build_paths.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {
namespace {

struct Unit {
  const char* name;
  const char* program;
  const char* worst_exposure;  // in tenths, as systemd-analyze security --threshold takes it
};
constexpr Unit kUnits[] = {{"cordon-agent", "/usr/bin/cordon-agent", "49"},
                           {"cordon-isolation", "/usr/libexec/cordon/cordon-keeper", "25"},
                           {"cordon-enroll", "/usr/bin/cordon-agent", "40"}};

// The units as they are shipped, but for the programs' paths: nothing is installed here.
class SystemdUnitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (RunCommand({"systemd-analyze", "--version"}).status != 0)
      GTEST_SKIP() << "systemd-analyze is not installed";
    CopyThePath();
    for (const Unit& unit : kUnits) {
      std::string here = Text(unit.name);
      ASSERT_NE(here.find(unit.program), std::string::npos);
      here.replace(here.find(unit.program), std::string(unit.program).size(), "/usr/bin/true");
      std::ofstream(PathOf(unit.name)) << here;
    }
  }

  void CopyThePath() {
    std::filesystem::copy_file(std::filesystem::path(kSourceDir) / "packaging/systemd/cordon-enroll.path",
                               folder_ / "cordon-enroll.path");
  }

  static std::string Text(const std::string& name) {
    std::ifstream shipped(std::filesystem::path(kSourceDir) / "packaging/systemd" / (name + ".service"));
    std::stringstream text;
    text << shipped.rdbuf();
    return text.str();
  }
  std::string PathOf(const std::string& name) const { return (folder_ / (name + ".service")).string(); }
  CommandResult Verify() const {
    std::vector<std::string> command = {"systemd-analyze", "verify", "--man=no"};
    command.push_back((folder_ / "cordon-enroll.path").string());
    for (const Unit& unit : kUnits) command.push_back(PathOf(unit.name));
    return RunCommand(command);
  }

  TempFolder folder_;
};

TEST_F(SystemdUnitTest, AreValid) {
  const CommandResult result = Verify();
  EXPECT_EQ(result.status, 0) << result.errors;
  EXPECT_EQ(result.errors, "");
}

TEST_F(SystemdUnitTest, AWrongSettingWouldBeSeen) {
  std::ofstream(PathOf("cordon-isolation"), std::ios::app) << "[Service]\nProtectEverything=yes\n";
  EXPECT_THAT(Verify().errors, ::testing::HasSubstr("ProtectEverything"));
}

TEST_F(SystemdUnitTest, AreHardenedAsFarAsTheirWorkAllows) {
  for (const Unit& unit : kUnits) {
    const CommandResult result =
        RunCommand({"systemd-analyze", "security", "--offline=yes",
                    std::string("--threshold=") + unit.worst_exposure, "--no-pager", PathOf(unit.name)});
    EXPECT_EQ(result.status, 0) << result.output << result.errors;
  }
}

TEST_F(SystemdUnitTest, ISO5_TheKeeperStartsBeforeTheNetworkAndTheAgentAfterIt) {
  const std::string keeper = Text("cordon-isolation");
  EXPECT_THAT(keeper, ::testing::ContainsRegex("\nBefore=[^\n]*network-pre\\.target"));
  EXPECT_THAT(keeper, ::testing::HasSubstr("\nWants=network-pre.target\n"));
  EXPECT_THAT(keeper, ::testing::HasSubstr("\nDefaultDependencies=no\n"));
  EXPECT_THAT(keeper, ::testing::HasSubstr("\nType=notify\n"));
  EXPECT_THAT(Text("cordon-agent"), ::testing::ContainsRegex("\nAfter=[^\n]*cordon-isolation\\.service"));
}

TEST_F(SystemdUnitTest, TheAgentsUnitHidesNoFilesFromScans) {
  const std::string agent = Text("cordon-agent");
  EXPECT_THAT(agent, ::testing::HasSubstr("\nType=notify\n"));
  for (const char* hides : {"ProtectHome=yes", "PrivateTmp=yes", "ProtectProc=invisible",
                            "PrivateDevices=yes", "PrivateNetwork=yes", "ProtectKernelModules=yes"}) {
    EXPECT_THAT(agent, ::testing::Not(::testing::HasSubstr(std::string("\n") + hides)));
  }
}

}  // namespace
}  // namespace cordon::testing
