// The MSI taken off again: told to the controller, refused on an isolated host. There is no WFP under wine,
// so isolation is what isolation.state says; that a release opens the filters is scripts/windows-verify.ps1's
// to show.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "agent/isolation/state_file.h"
#include "tests/support/actions.h"
#include "tests/wine/fleet/installer_fixture.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* kToldRemoval = "the host was not isolated";  // AgentLifecycle REMOVED

class WindowsUninstaller : public WindowsInstaller {
 protected:
  std::filesystem::path StateFile() const { return fleet_->StateFolder() / agent::kIsolationStateFile; }

  void SaveState(v1::Level level) const {
    v1::IsolationState state;
    state.set_order_id("an order of the test");
    state.set_sequence(7);
    state.set_level(level);
    if (level > v1::LEVEL_OBSERVE) *state.mutable_action() = Isolate(level);
    const absl::Status saved = agent::StateFile(StateFile()).Save(state);
    ASSERT_TRUE(saved.ok()) << saved.message();
  }
  // As an order would leave it, which no agent under wine takes.
  void BeIsolated() const {
    ASSERT_EQ(Installed({"stop"}).status, 0);
    ASSERT_NO_FATAL_FAILURE(SaveState(v1::LEVEL_ESSENTIAL));
    ASSERT_EQ(Installed({"start"}).status, 0);
    ASSERT_TRUE(fleet_->WaitForAgent());
  }
  void ExpectIsolatedStill() const {
    const auto state = agent::LoadState(StateFile());
    ASSERT_TRUE(state.ok()) << state.status().message();
    EXPECT_EQ(state->level(), v1::LEVEL_ESSENTIAL);
    EXPECT_EQ(state->order_id(), "an order of the test");
  }
  bool RemovalIsTold(std::chrono::seconds timeout = std::chrono::seconds(30)) const {
    return fleet_->EventArrives("control", kToldRemoval, timeout);
  }
};

TEST_F(WindowsUninstaller, TellsTheControllerAndTakesTheCanaryFilesAway) {
  ASSERT_NO_FATAL_FAILURE(InstallAndEnroll());
  const std::filesystem::path documents = fleet_->WatchedFolder() / "documents";
  std::filesystem::create_directory(documents);
  std::ofstream(documents / "record.txt") << "a patient";
  const TempFolder outside;
  std::ofstream(outside / "policy.toml") << "version = 1\nwatch = [\"C:/watched\"]\n[tripwires]\n"
                                         << "canary_folders = [\"C:/watched/documents\"]\n";
  fleet_->Ctl({"policy", "set", fleet_->HostName(), "--file", (outside / "policy.toml").string(), "--reason",
               "a drill", "--yes", "--wait"});
  const std::array<std::filesystem::path, 2> canaries = {documents / ".!cordon-canary.rtf",
                                                         documents / ".~cordon-canary.rtf"};
  for (const auto& canary : canaries)
    ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(canary); })) << canary;

  EXPECT_FALSE(RemovalIsTold(std::chrono::seconds(0)));
  const CommandResult removed = Msiexec("/x", package_);
  ASSERT_EQ(removed.status, 0) << removed.output << removed.errors;
  EXPECT_TRUE(RemovalIsTold());
  for (const auto& canary : canaries) EXPECT_FALSE(std::filesystem::exists(canary)) << canary;
  EXPECT_TRUE(std::filesystem::exists(documents / "record.txt"));
  EXPECT_FALSE(std::filesystem::exists(Program()));
  EXPECT_TRUE(std::filesystem::exists(fleet_->StateFolder() / "host.crt"));
  EXPECT_TRUE(std::filesystem::exists(fleet_->StateFolder() / "agent.db"));
}

TEST_F(WindowsUninstaller, WithoutAControllerTheRemovalIsInTheSpoolAndToldByTheNextAgent) {
  ASSERT_NO_FATAL_FAILURE(InstallAndEnroll());
  fleet_->KillController();
  const CommandResult removed = Msiexec("/x", package_);
  ASSERT_EQ(removed.status, 0) << removed.output << removed.errors;
  ASSERT_FALSE(std::filesystem::exists(Program()));
  fleet_->StartController();
  EXPECT_FALSE(RemovalIsTold(std::chrono::seconds(0)));
  ASSERT_EQ(Msiexec("/i", package_).status, 0);
  EXPECT_TRUE(RemovalIsTold(std::chrono::seconds(60)));
}

// After a removal that failed wine cannot remove the product at all, so that the freed host is not tried.
TEST_F(WindowsUninstaller, ISO5_IsRefusedOnAnIsolatedHost) {
  ASSERT_NO_FATAL_FAILURE(InstallAndEnroll());
  ASSERT_NO_FATAL_FAILURE(BeIsolated());
  EXPECT_THAT(Installed({"remove", "--check"}).errors, HasSubstr("this host is isolated (essential)"));
  EXPECT_NE(Msiexec("/x", package_).status, 0);
  EXPECT_TRUE(std::filesystem::exists(Program()));
  EXPECT_TRUE(Runs());
  ASSERT_NO_FATAL_FAILURE(ExpectIsolatedStill());
  EXPECT_FALSE(RemovalIsTold(std::chrono::seconds(0)));
}

TEST_F(WindowsUninstaller, ReleaseOnAFreeHostIsAnOrdinaryRemoval) {
  ASSERT_NO_FATAL_FAILURE(InstallAndEnroll());
  const CommandResult removed = Msiexec("/x", package_, {"RELEASE=1"});
  ASSERT_EQ(removed.status, 0) << removed.output << removed.errors;
  EXPECT_TRUE(RemovalIsTold());
  EXPECT_FALSE(std::filesystem::exists(Program()));
}

}  // namespace
}  // namespace cordon::testing
