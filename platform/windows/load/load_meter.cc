#include "platform/api/load_meter.h"

#include "platform/windows/system/windows.h"

namespace cordon::platform {
namespace {

// Windows tells no stalls, and a service is told nothing of a user's keys.
class WindowsLoadMeter final : public LoadMeter {
 public:
  LoadReadings Read() override {
    LoadReadings readings;
    SYSTEM_POWER_STATUS power{};
    constexpr BYTE kNoBattery = 128;
    constexpr BYTE kUnknown = 255;
    if (GetSystemPowerStatus(&power) != 0 && power.ACLineStatus != kUnknown &&
        power.BatteryFlag != kUnknown && (power.BatteryFlag & kNoBattery) == 0)
      readings.on_battery = power.ACLineStatus == 0;
    return readings;
  }
};

}  // namespace

std::unique_ptr<LoadMeter> MakeLoadMeter() {
  return std::make_unique<WindowsLoadMeter>();
}

}  // namespace cordon::platform
