// The contract of platform/api/load_meter.h on the native implementation.

#include "platform/api/load_meter.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "tests/support/native.h"

namespace cordon::platform {
namespace {

TEST(LoadMeter, TellsStallsThatDoNotGoBack) {
  CORDON_SKIP_ON_WINDOWS("no call tells stalls of processor, storage and memory");
  if (!std::filesystem::exists("/proc/pressure/cpu"))
    GTEST_SKIP() << "this kernel has no pressure-stall information (/proc/pressure)";
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

TEST(LoadMeter, TellsTheSameThingsEachTimeAndSoon) {
  const auto meter = MakeLoadMeter();
  const auto before = std::chrono::steady_clock::now();
  const LoadReadings first = meter->Read();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5))
      << "a second, and a busy machine";
  const LoadReadings second = meter->Read();
  EXPECT_EQ(first.cpu_stall_nanos.has_value(), second.cpu_stall_nanos.has_value());
  EXPECT_EQ(first.io_stall_nanos.has_value(), second.io_stall_nanos.has_value());
  EXPECT_EQ(first.memory_stall_nanos.has_value(), second.memory_stall_nanos.has_value());
  EXPECT_EQ(first.on_battery.has_value(), second.on_battery.has_value());
  EXPECT_EQ(first.user_active.has_value(), second.user_active.has_value());
}

}  // namespace
}  // namespace cordon::platform
