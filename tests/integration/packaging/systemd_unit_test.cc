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

// The unit as it is shipped, but for the program's path: nothing is installed here.
class SystemdUnitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (RunCommand({"systemd-analyze", "--version"}).status != 0)
      GTEST_SKIP() << "systemd-analyze is not installed";
    std::ifstream shipped(std::filesystem::path(kSourceDir) / "packaging/systemd/cordon-agent.service");
    std::stringstream text;
    text << shipped.rdbuf();
    unit_text_ = text.str();
    const std::string program = "/usr/bin/cordon-agent";
    ASSERT_NE(unit_text_.find(program), std::string::npos);
    std::string here = unit_text_;
    here.replace(here.find(program), program.size(), "/usr/bin/true");
    unit_ = folder_ / "cordon-agent.service";
    std::ofstream(unit_) << here;
  }

  TempFolder folder_;
  std::filesystem::path unit_;
  std::string unit_text_;
};

TEST_F(SystemdUnitTest, IsValid) {
  const CommandResult result = RunCommand({"systemd-analyze", "verify", "--man=no", unit_.string()});
  EXPECT_EQ(result.status, 0) << result.errors;
  EXPECT_EQ(result.errors, "");
}

TEST_F(SystemdUnitTest, AWrongSettingWouldBeSeen) {
  std::ofstream(unit_, std::ios::app) << "[Service]\nProtectEverything=yes\n";
  EXPECT_THAT(RunCommand({"systemd-analyze", "verify", "--man=no", unit_.string()}).errors,
              ::testing::HasSubstr("ProtectEverything"));
}

TEST_F(SystemdUnitTest, IsHardenedAsFarAsItsWorkAllows) {
  const CommandResult result = RunCommand(
      {"systemd-analyze", "security", "--offline=yes", "--threshold=45", "--no-pager", unit_.string()});
  EXPECT_EQ(result.status, 0) << result.output << result.errors;
}

TEST_F(SystemdUnitTest, ISO5_StartsBeforeTheNetworkAndHidesNoFilesFromScans) {
  EXPECT_THAT(unit_text_, ::testing::ContainsRegex("\nBefore=[^\n]*network-pre\\.target"));
  EXPECT_THAT(unit_text_, ::testing::HasSubstr("\nType=notify\n"));
  for (const char* hides : {"ProtectHome=yes", "PrivateTmp=yes", "ProtectProc=invisible",
                            "PrivateDevices=yes", "PrivateNetwork=yes", "ProtectKernelModules=yes"}) {
    EXPECT_THAT(unit_text_, ::testing::Not(::testing::HasSubstr(std::string("\n") + hides)));
  }
}

}  // namespace
}  // namespace cordon::testing
