#include <gtest/gtest.h>

#include <fstream>

#include "platform/linux/files/capability_text.h"
#include "platform/linux/load/power.h"
#include "platform/linux/load/pressure.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

TEST(Pressure, IsTheTotalOfTheLineSome) {
  EXPECT_EQ(ParsePressure("some avg10=0.12 avg60=0.00 avg300=0.00 total=1234\nfull avg10=0 total=9\n"),
            1'234'000);
  EXPECT_EQ(ParsePressure("some avg10=0.12 total=0"), 0);
  for (const char* bad :
       {"", "full avg10=0 total=9\n", "some avg10=0\n", "some total=x\n", "some a total=-1\n",
        "some a total=99999999999999999999\n", "some a total=9223372036854775807\n"}) {
    EXPECT_FALSE(ParsePressure(bad).has_value()) << bad;
  }
}

class PowerTest : public ::testing::Test {
 protected:
  void Put(const std::string& supply, const std::string& file, const std::string& text) {
    std::filesystem::create_directories(folder_ / supply);
    std::ofstream(folder_ / supply / file) << text << "\n";
  }
  testing::TempFolder folder_;
};

TEST_F(PowerTest, OnlyABatteryThatGivesWithoutMainsCounts) {
  EXPECT_FALSE(ReadOnBattery(folder_ / "none").has_value());
  Put("AC", "type", "Mains");
  Put("AC", "online", "0");
  EXPECT_FALSE(ReadOnBattery(folder_.Path()).has_value());
  Put("mouse", "type", "Battery");
  Put("mouse", "scope", "Device");
  Put("mouse", "status", "Discharging");
  EXPECT_FALSE(ReadOnBattery(folder_.Path()).has_value());
  Put("BAT0", "type", "Battery");
  Put("BAT0", "status", "Discharging");
  EXPECT_EQ(ReadOnBattery(folder_.Path()), true);
  Put("AC", "online", "1");
  EXPECT_EQ(ReadOnBattery(folder_.Path()), false);
  Put("AC", "online", "0");
  Put("BAT0", "status", "Full");
  EXPECT_EQ(ReadOnBattery(folder_.Path()), false);
}

TEST(CapabilityText, IsWhatGetcapPrints) {
  // version 2, effective; permitted cap_net_raw (13) and cap_bpf (39)
  const std::string value("\x01\0\0\x02\0\x20\0\0\0\0\0\0\x80\0\0\0\0\0\0\0", 20);
  EXPECT_EQ(CapabilityText(value), "cap_net_raw,cap_bpf=ep");
  const std::string inheritable("\0\0\0\x02\0\0\0\0\0\x20\0\0\0\0\0\0\0\0\0\0", 20);
  EXPECT_EQ(CapabilityText(inheritable), "cap_net_raw=i");
  EXPECT_EQ(CapabilityText(""), "");
  EXPECT_EQ(CapabilityText(value.substr(0, 19)), "");
  EXPECT_EQ(CapabilityText(std::string(64, '\xff')).substr(0, 20), "cap_chown,cap_dac_ov");
}

}  // namespace
}  // namespace cordon::platform
