// platform/api/system.h where Windows is a case of its own; the rest is in tests/contract.

#include "platform/api/system.h"

#include <gtest/gtest.h>

#include "platform/windows/system/job.h"
#include "platform/windows/system/process_facts.h"
#include "platform/windows/system/security.h"
#include "tests/wine/platform/wine.h"

namespace cordon::platform {
namespace {

// Microsoft's own example: sc showsid TrustedInstaller.
TEST(WindowsSystem, AServicesSidIsTheHashOfItsName) {
  EXPECT_EQ(ServiceSid(L"TrustedInstaller"),
            "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464");
}

TEST(WindowsSystem, AProcessIsOfAUserAndOfALevelOfIntegrity) {
  const std::optional<ProcessFacts> facts = ReadProcess(GetCurrentProcessId());
  ASSERT_TRUE(facts.has_value());
  EXPECT_TRUE(facts->token.user_sid.starts_with("S-1-5-")) << facts->token.user_sid;
  EXPECT_GE(facts->token.integrity_level, uint32_t{SECURITY_MANDATORY_LOW_RID});
  EXPECT_LE(facts->token.integrity_level, uint32_t{SECURITY_MANDATORY_SYSTEM_RID});
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

}  // namespace
}  // namespace cordon::platform
