// The contract of platform/api/system.h on the native implementation.

#include "platform/api/system.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "common/base/uuid.h"

namespace cordon::platform {
namespace {

TEST(SystemClock, BootTimeOnlyRisesAndIsNotWallTime) {
  const std::unique_ptr<Clock> clock = MakeSystemClock();
  const int64_t first = clock->BootNanos();
  const int64_t second = clock->BootNanos();
  EXPECT_GE(second, first);
  EXPECT_GT(first, 0);
  EXPECT_GT(clock->WallNanos(), 1'600'000'000 * kNanosPerSecond);
}

TEST(SystemFacts, NameTheMachine) {
  const SystemFacts facts = ReadSystemFacts();
  EXPECT_FALSE(facts.host_name.empty());
  EXPECT_FALSE(facts.os.empty());
  EXPECT_FALSE(facts.kernel.empty());
  EXPECT_FALSE(facts.architecture.empty());
  EXPECT_TRUE(IsUuid(facts.boot_id)) << facts.boot_id;
  EXPECT_TRUE(facts.machine_id_sha256.empty() || facts.machine_id_sha256.size() == 64);
  EXPECT_EQ(facts.boot_id, ReadSystemFacts().boot_id);
}

TEST(OwnResourceUse, GrowsWithUse) {
  const OwnResourceUse before = ReadOwnResourceUse();
  EXPECT_GT(before.resident_bytes, 100'000U);
  uint64_t sum = 0;
  while (ReadOwnResourceUse().cpu_nanos <= before.cpu_nanos) {
    for (uint64_t i = 0; i < 1'000'000; ++i) sum += i * sum + 1;
  }
  EXPECT_NE(sum, 1U);
}

TEST(LowerThreadPriority, IsAllowedAndConcernsOneThread) {
  std::promise<absl::Status> result;
  std::thread([&] { result.set_value(LowerThreadPriority()); }).join();
  EXPECT_TRUE(result.get_future().get().ok());
}

TEST(OnStopRequest, CallsOnceOnSigterm) {
  std::promise<void> asked;
  const auto watch = OnStopRequest([&] { asked.set_value(); });
  kill(getpid(), SIGTERM);  // to the process, as a service manager does
  EXPECT_EQ(asked.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(OnStopRequest, EndsQuietlyWhenNobodyAsks) {
  bool asked = false;
  {
    const auto watch = OnStopRequest([&] { asked = true; });
  }
  EXPECT_FALSE(asked);
}

}  // namespace
}  // namespace cordon::platform
