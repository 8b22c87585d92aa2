#include "platform/api/load_meter.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace cordon::platform {
namespace {

TEST(LoadMeter, TellsWhatTheSystemTellsAndItDoesNotGoBack) {
  if (!std::filesystem::exists("/proc/pressure/cpu"))
    GTEST_SKIP() << "this kernel has no pressure-stall information";
  const auto meter = MakeLoadMeter();
  const LoadReadings first = meter->Read();
  const LoadReadings second = meter->Read();
  ASSERT_TRUE(first.cpu_stall_nanos.has_value());
  ASSERT_TRUE(first.io_stall_nanos.has_value());
  ASSERT_TRUE(first.memory_stall_nanos.has_value());
  EXPECT_GE(second.cpu_stall_nanos, first.cpu_stall_nanos);
  EXPECT_GE(second.io_stall_nanos, first.io_stall_nanos);
  EXPECT_GE(second.memory_stall_nanos, first.memory_stall_nanos);
}

}  // namespace
}  // namespace cordon::platform
