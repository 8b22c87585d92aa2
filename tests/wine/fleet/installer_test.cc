// The MSI by wine's msiexec: silently installed, upgraded, repeated, repaired, and rolled back.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/wine/fleet/installer_fixture.h"

namespace cordon::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(WindowsInstaller, InstallsAndEnrolsUpgradesAndUninstallsSilently) {
  const std::string enroll = EnrollProperty();
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
  EXPECT_NE(Installed({"status"}).status, 0);
  fleet_->Enroll();
  EXPECT_EQ(Installed({"start"}).status, 0);
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

// What the transaction rests on, and wixl has no words for.
TEST_F(WindowsInstaller, ThePackageTakesTheOldVersionAwayWithinItsTransaction) {
  const auto table = [&](const std::string& name) {
    return RunCommand({"msiinfo", "export", package_.string(), name}).output;
  };
  EXPECT_THAT(table("InstallExecuteSequence"), HasSubstr("InstallInitialize\t\t1500\r\n"));
  EXPECT_THAT(table("InstallExecuteSequence"), HasSubstr("RemoveExistingProducts\t\t1501\r\n"));
  EXPECT_THAT(table("InstallExecuteSequence"), HasSubstr("InstallFinalize\t\t6600\r\n"));
  constexpr const char* kOnRollbackAsTheSystem = "StartAgain\t3410\t";
  EXPECT_THAT(table("CustomAction"), HasSubstr(kOnRollbackAsTheSystem));
  EXPECT_THAT(table("File"),
              ContainsRegex("agent\\.exe\tAgent\t[^\t]+\t[0-9]+\t[0-9]+\\.[0-9]+\\.[0-9]+\t1033"))
      << "an older program with a version gives way to one with a version alone";
  EXPECT_THAT(table("Property"), HasSubstr("SecureCustomProperties\tENROLL;RELEASE;"));
}

}  // namespace
}  // namespace cordon::testing
