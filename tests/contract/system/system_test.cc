// The contract of platform/api/system.h on the native implementation.

#include "platform/api/system.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <stdexcept>
#include <thread>

#include "common/base/uuid.h"
#include "tests/support/native.h"

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

TEST(SystemClock, BootTimeCountsNanoseconds) {
  const std::unique_ptr<Clock> clock = MakeSystemClock();
  const int64_t before = clock->BootNanos();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const int64_t passed = clock->BootNanos() - before;
  EXPECT_GE(passed, 150 * kNanosPerMilli);
  EXPECT_LT(passed, 20 * kNanosPerSecond);
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
  for (const std::string& address : facts.addresses) {
    EXPECT_NE(address, "127.0.0.1");
    EXPECT_NE(address, "::1");
  }
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

TEST(Memory, CodeThatIsLetGoComesBackWhenItIsUsed) {
  CORDON_SKIP_UNDER_WINE("SetProcessWorkingSetSize lets go of nothing");
  const uint64_t before = ReadOwnResourceUse().resident_bytes;
  ReleaseUnusedCode();
  EXPECT_LT(ReadOwnResourceUse().resident_bytes, before);
  EXPECT_FALSE(ReadSystemFacts().kernel.empty());
  EXPECT_THROW(throw std::runtime_error("the unwinder's tables too"), std::runtime_error);
}

TEST(LowerThreadPriority, IsAllowedAndConcernsOneThread) {
  CORDON_SKIP_UNDER_WINE("SetThreadPriority takes no THREAD_MODE_BACKGROUND_BEGIN (87)");
  std::promise<absl::Status> result;
  std::thread([&] { result.set_value(LowerThreadPriority()); }).join();
  EXPECT_EQ(result.get_future().get(), absl::OkStatus());
}

TEST(OnStopRequest, EndsQuietlyWhenNobodyAsks) {
  for (int i = 0; i < 2; ++i) {  // and can be waited for again
    bool asked = false;
    {
      const auto watch = OnStopRequest([&] { asked = true; });
    }
    EXPECT_FALSE(asked);
  }
}

}  // namespace
}  // namespace cordon::platform
