// The MSI by wine's msiexec: silently installed, upgraded, repeated, removed, and rolled back.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "common/base/strings.h"
#include "tests/support/build_paths.h"
#include "tests/wine/fleet/windows_fleet.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::chrono::minutes kPatience(3);
constexpr const char* kNextVersion = "99.0.0";

class WindowsInstaller : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = WinePrefix::Missing(); !missing.empty()) GTEST_SKIP() << missing;
    if (RunCommand({"sh", "-c", "command -v wixl && command -v msibuild"}).status != 0)
      GTEST_SKIP() << "wixl or msibuild is not installed: scripts/bootstrap --windows";
    fleet_ = std::make_unique<WindowsFleet>();
    package_ = Make({});
  }

  // Where it lies, under the prefix, so that it goes with it.
  std::filesystem::path Make(std::vector<std::string> flags) const {
    const std::filesystem::path out = fleet_->Windows().Drive() / "packages";
    flags.insert(flags.begin(), {StrCat(kSourceDir, "/scripts/package-msi"), "--out", out.string()});
    std::string path = RunCommand(std::move(flags), {}, kPatience).output;
    while (!path.empty() && path.back() == '\n') path.pop_back();
    return path;
  }

  CommandResult Msiexec(const std::string& what, const std::filesystem::path& package,
                        const std::vector<std::string>& properties = {}) const {
    std::vector<std::string> args = {"msiexec.exe", what, WindowsPath(package), "/qn", "/l*v", "C:\\log.txt"};
    args.insert(args.end(), properties.begin(), properties.end());
    return fleet_->Windows().Run(std::move(args), kPatience);
  }

  std::filesystem::path Program() const {
    return fleet_->Windows().Drive() / "Program Files/Cordon/cordon-agent.exe";
  }
  CommandResult Installed(const std::string& command) const {
    return fleet_->Windows().Run({Program().string(), command});
  }
  bool Runs() const {
    return Eventually([&] { return Installed("status").status == 0; });
  }
  std::string Log() const {
    std::ifstream file(fleet_->Windows().Drive() / "log.txt");
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    std::erase(text, '\0');  // UTF-16
    return text;
  }

  std::unique_ptr<WindowsFleet> fleet_;
  std::filesystem::path package_;
};

TEST_F(WindowsInstaller, InstallsAndEnrolsUpgradesAndUninstallsSilently) {
  const std::string enroll = StrCat("ENROLL=", WindowsPath(fleet_->MakeEnrollmentFile()));
  const auto begun = std::chrono::steady_clock::now();
  const CommandResult installed = Msiexec("/i", package_, {enroll});
  ASSERT_EQ(installed.status, 0) << installed.output << installed.errors;
  ASSERT_TRUE(std::filesystem::exists(Program()));
  EXPECT_TRUE(fleet_->WaitForAgent());
  EXPECT_TRUE(fleet_->EventArrives("control", "agent_lifecycle"));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(30)) << "to the first event";
  const auto host_id = fleet_->Host().at("host_id");

  const std::filesystem::path next = Make({"--version", kNextVersion});
  const CommandResult upgraded = Msiexec("/i", next, {enroll});
  ASSERT_EQ(upgraded.status, 0) << upgraded.output << upgraded.errors;
  EXPECT_TRUE(Runs()) << "the service is back";
  EXPECT_TRUE(fleet_->WaitForAgent());
  EXPECT_EQ(fleet_->Host().at("host_id"), host_id) << "state and enrolment stay";
  EXPECT_EQ(fleet_->CtlJson({"hosts"}).size(), 1);
  EXPECT_NE(Msiexec("/i", package_).status, 0) << "no way back to an older one";

  const CommandResult removed = Msiexec("/x", next);
  ASSERT_EQ(removed.status, 0) << removed.output << removed.errors;
  EXPECT_FALSE(std::filesystem::exists(Program()));
  EXPECT_TRUE(std::filesystem::exists(fleet_->StateFolder() / "host.crt")) << "state stays";
  EXPECT_TRUE(Eventually([&] { return !fleet_->AgentConnected(); }, std::chrono::seconds(40)));
}

TEST_F(WindowsInstaller, WithoutAnEnrolmentItInstallsAndWaits) {
  ASSERT_EQ(Msiexec("/i", package_).status, 0);
  ASSERT_TRUE(std::filesystem::exists(Program()));
  EXPECT_NE(Installed("status").status, 0);
  fleet_->Enroll();
  EXPECT_EQ(Installed("start").status, 0);
  EXPECT_TRUE(fleet_->WaitForAgent());
}

TEST_F(WindowsInstaller, AnEnrolmentFileBesideThePackageIsTaken) {
  std::filesystem::copy_file(fleet_->MakeEnrollmentFile(), package_.parent_path() / "leeds.enroll");
  const CommandResult installed = Msiexec("/i", package_);
  ASSERT_EQ(installed.status, 0) << installed.output << installed.errors;
  EXPECT_TRUE(fleet_->WaitForAgent());
}

TEST_F(WindowsInstaller, AFailedEnrolmentRollsTheInstallationBackAndTheLogHasNoSecret) {
  const std::filesystem::path file = fleet_->Windows().Drive() / "bad.enroll";
  std::ofstream(file) << "no enrolment, and a secret: hush-hush";
  EXPECT_NE(Msiexec("/i", package_, {StrCat("ENROLL=", WindowsPath(file))}).status, 0);
  EXPECT_FALSE(std::filesystem::exists(Program()));
  EXPECT_THAT(Log(), HasSubstr("bad.enroll"));
  EXPECT_THAT(Log(), Not(HasSubstr("hush-hush")));
  EXPECT_EQ(Msiexec("/i", package_).status, 0) << "nothing is in the way of the next try";
}

}  // namespace
}  // namespace cordon::testing
