// Whether somebody is at the machine, as a logind on a bus tells it.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>

#include "common/base/strings.h"
#include "platform/api/load_meter.h"
#include "tests/support/build_paths.h"
#include "tests/support/fleet.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {
namespace {

class UserActivityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (RunCommand({"sh", "-c", "command -v dbus-daemon"}).status != 0)
      GTEST_SKIP() << "dbus-daemon is not installed";
    setenv("DBUS_SYSTEM_BUS_ADDRESS", address_.c_str(), 1);
    std::ofstream(folder_ / "bus.conf")
        << "<busconfig><type>system</type><listen>" << address_ << "</listen><auth>EXTERNAL</auth>"
        << "<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/><allow send_type=\"*\"/>"
        << "<allow receive_type=\"*\"/></policy></busconfig>";
  }
  void TearDown() override { unsetenv("DBUS_SYSTEM_BUS_ADDRESS"); }

  void StartBus() {
    bus_ = std::make_unique<Subprocess>(
        std::vector<std::string>{"dbus-daemon", StrCat("--config-file=", (folder_ / "bus.conf").string()),
                                 "--nofork", "--nopidfile", "--print-address"});
    ASSERT_TRUE(bus_->WaitForOutput("unix:path=")) << bus_->Errors();
  }
  void StartLogind() {
    logind_ = std::make_unique<Subprocess>(
        std::vector<std::string>{StrCat(kBinaryDir, "/tests/logind_stand_in"), address_});
    ASSERT_TRUE(logind_->WaitForOutput("ready")) << logind_->Errors();
  }
  void Says(const std::string& word) {
    ASSERT_TRUE(logind_->Write(StrCat(word, "\n")));
    ASSERT_TRUE(logind_->WaitForOutput(StrCat("\n", word, "\n")));
  }
  std::optional<bool> Active() { return meter_->Read().user_active; }

  TempFolder folder_;
  const std::string address_ = StrCat("unix:path=", (folder_ / "bus").string());
  std::unique_ptr<Subprocess> bus_;
  std::unique_ptr<Subprocess> logind_;
  const std::unique_ptr<platform::LoadMeter> meter_ = platform::MakeLoadMeter();
};

TEST_F(UserActivityTest, IsWhatLogindSaysAndNothingWhereNoneAnswers) {
  EXPECT_EQ(Active(), std::nullopt) << "there is no bus";
  StartBus();
  EXPECT_EQ(Active(), std::nullopt) << "there is a bus without logind";
  StartLogind();
  Says("active");
  EXPECT_EQ(Active(), true);
  Says("idle");
  EXPECT_EQ(Active(), false);
  logind_->Kill();
  EXPECT_EQ(Active(), std::nullopt);
  StartLogind();
  Says("idle");
  EXPECT_EQ(Active(), false) << "it is asked again";
}

TEST_F(UserActivityTest, AStoppedLogindHoldsNothingUpForMoreThanASecond) {
  StartBus();
  StartLogind();
  Says("active");
  EXPECT_EQ(Active(), true);
  logind_->Signal(SIGSTOP);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(Active(), std::nullopt);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5)) << "and a busy machine";
  logind_->Signal(SIGCONT);
  EXPECT_TRUE(Eventually([&] { return Active() == true; }));
}

}  // namespace
}  // namespace cordon::testing
