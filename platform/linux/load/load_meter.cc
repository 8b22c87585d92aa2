#include "platform/api/load_meter.h"

#include "platform/api/files.h"
#include "platform/linux/load/power.h"
#include "platform/linux/load/pressure.h"
#include "platform/linux/load/user_activity.h"

namespace cordon::platform {
namespace {

std::optional<int64_t> ReadPressure(const char* file) {
  constexpr size_t kMaxBytes = 4096;
  const absl::StatusOr<std::string> text = ReadFileBounded(file, kMaxBytes);
  return text.ok() ? ParsePressure(*text) : std::nullopt;
}

class LinuxLoadMeter final : public LoadMeter {
 public:
  LoadReadings Read() override {
    return {.cpu_stall_nanos = ReadPressure("/proc/pressure/cpu"),
            .io_stall_nanos = ReadPressure("/proc/pressure/io"),
            .memory_stall_nanos = ReadPressure("/proc/pressure/memory"),
            .on_battery = ReadOnBattery("/sys/class/power_supply"),
            .user_active = user_.Read()};
  }

 private:
  UserActivity user_;
};

}  // namespace

std::unique_ptr<LoadMeter> MakeLoadMeter() {
  return std::make_unique<LinuxLoadMeter>();
}

}  // namespace cordon::platform
