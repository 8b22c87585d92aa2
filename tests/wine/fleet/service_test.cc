// The agent as a service of wine's service manager, set up by its own commands.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/wine/fleet/windows_fleet.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

class WindowsService : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = WinePrefix::Missing(); !missing.empty()) GTEST_SKIP() << missing;
    fleet_ = std::make_unique<WindowsFleet>();
  }

  std::unique_ptr<WindowsFleet> fleet_;
};

TEST_F(WindowsService, IsInstalledStartedStoppedAndRemovedByTheAgentsCommands) {
  const CommandResult installed = fleet_->Agent({"install"});
  ASSERT_EQ(installed.status, 0) << installed.errors;
  const CommandResult early = fleet_->Agent({"start"});
  EXPECT_EQ(early.status, 0) << early.errors;
  EXPECT_THAT(early.output, HasSubstr("not enrolled"));
  EXPECT_NE(fleet_->Agent({"status"}).status, 0) << "it does not run yet";

  fleet_->Enroll();
  const CommandResult started = fleet_->Agent({"start"});
  ASSERT_EQ(started.status, 0) << started.errors;
  EXPECT_TRUE(fleet_->WaitForAgent());
  std::ofstream(fleet_->WatchedFolder() / "record.txt") << "a patient";
  EXPECT_TRUE(fleet_->EventArrives("file", "record.txt"));
  EXPECT_EQ(fleet_->Agent({"install"}).status, 0) << "again, over one that runs";

  const CommandResult stopped = fleet_->Agent({"stop"});
  EXPECT_EQ(stopped.status, 0) << stopped.errors;
  EXPECT_TRUE(fleet_->EventArrives("control", "stopping")) << "it had time for its last words";
  EXPECT_NE(fleet_->Agent({"status"}).status, 0);

  EXPECT_EQ(fleet_->Agent({"start"}).status, 0);
  EXPECT_TRUE(Eventually([&] { return fleet_->Agent({"status"}).status == 0; }));
  const CommandResult removed = fleet_->Agent({"uninstall"});
  EXPECT_EQ(removed.status, 0) << removed.errors;
  EXPECT_NE(fleet_->Agent({"status"}).status, 0) << "removing stops it";
  EXPECT_NE(fleet_->Agent({"uninstall"}).status, 0) << "there is none any more";
  EXPECT_EQ(fleet_->Agent({"stop"}).status, 0) << "nothing runs";
}

}  // namespace
}  // namespace cordon::testing
