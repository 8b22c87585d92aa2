// platform/api/system.h, places.h and terminal.h on Windows.

#include "platform/api/system.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "common/base/status.h"
#include "platform/api/files.h"
#include "platform/api/places.h"
#include "platform/windows/system/job.h"
#include "platform/windows/system/security.h"
#include "tests/wine/platform/wine.h"

namespace cordon::platform {
namespace {

TEST(WindowsSystem, BootTimeOnlyRisesAndFactsNameTheMachine) {
  const std::unique_ptr<Clock> clock = MakeSystemClock();
  const int64_t first = clock->BootNanos();
  EXPECT_GT(first, 0);
  EXPECT_GE(clock->BootNanos(), first);
  const SystemFacts facts = ReadSystemFacts();
  EXPECT_FALSE(facts.host_name.empty());
  EXPECT_FALSE(facts.os.empty());
  EXPECT_EQ(facts.architecture, "x86_64");
  EXPECT_TRUE(IsUuid(facts.boot_id)) << facts.boot_id;
  EXPECT_EQ(facts.boot_id, ReadSystemFacts().boot_id);
}

TEST(WindowsSystem, UseGrowsWithUse) {
  const OwnResourceUse before = ReadOwnResourceUse();
  EXPECT_GT(before.resident_bytes, 100'000U);
  uint64_t sum = 0;
  while (ReadOwnResourceUse().cpu_nanos <= before.cpu_nanos)
    for (uint64_t at = 0; at < 1'000'000; ++at) sum += at * sum + 1;
  EXPECT_NE(sum, 1U);
}

TEST(WindowsSystem, WaitingForAStopEndsQuietlyWhenNobodyAsks) {
  bool asked = false;
  {
    const auto watch = OnStopRequest([&] { asked = true; });
  }
  EXPECT_FALSE(asked);
}

// Microsoft's own example: sc showsid TrustedInstaller.
TEST(WindowsSystem, AServicesSidIsTheHashOfItsName) {
  EXPECT_EQ(ServiceSid(L"TrustedInstaller"),
            "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464");
}

TEST(WindowsSystem, LimitsHoldForThisProcessFromThenOn) {
  const absl::Status limited = LimitThisProcess();
  ASSERT_TRUE(limited.ok()) << limited;
  BOOL within = FALSE;
  ASSERT_NE(IsProcessInJob(GetCurrentProcess(), nullptr, &within), 0);
  EXPECT_NE(within, 0);
  CORDON_SKIP_UNDER_WINE("QueryInformationJobObject of one's own job");
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  ASSERT_NE(
      QueryInformationJobObject(nullptr, JobObjectExtendedLimitInformation, &limits, sizeof(limits), nullptr),
      0);
  EXPECT_EQ(limits.JobMemoryLimit, SIZE_T{2} << 30);
}

TEST(WindowsDoor, IsFoundWhileItIsOpenAndHasASecretOfItsOwn) {
  const testing::WindowsFolder folder;
  const std::filesystem::path path = folder / "agent.local";
  EXPECT_EQ(FindLocalDoor(path).status().code(), absl::StatusCode::kUnavailable);
  {
    absl::StatusOr<std::unique_ptr<LocalDoor>> door = MakeLocalDoor(path);
    ASSERT_TRUE(door.ok()) << door.status();
    EXPECT_EQ((*door)->Address().address, "127.0.0.1:0");
    ASSERT_TRUE((*door)->Open(4'711).ok());
    const absl::StatusOr<LocalAddress> found = FindLocalDoor(path);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->address, "127.0.0.1:4711");
    EXPECT_EQ(found->secret.size(), 64U);
    EXPECT_EQ(found->secret, (*door)->Address().secret);
  }
  EXPECT_EQ(FindLocalDoor(path).status().code(), absl::StatusCode::kUnavailable);
}

TEST(WindowsDoor, DoesNotTakeThePlaceOfAnotherFile) {
  const testing::WindowsFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "precious", "mine", FileAccess::kOwnerOnly).ok());
  EXPECT_EQ(MakeLocalDoor(folder / "precious").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(*ReadFileBounded(folder / "precious", 9), "mine");
}

}  // namespace
}  // namespace cordon::platform
