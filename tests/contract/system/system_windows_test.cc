// platform/api/system.h where Windows has means of its own: jobs, service identities, the agent's folder.

#include <gtest/gtest.h>

#include "platform/api/files.h"
#include "platform/api/system.h"
#include "platform/windows/system/agent_folder.h"
#include "platform/windows/system/job.h"
#include "platform/windows/system/security.h"
#include "platform/windows/system/windows.h"
#include "tests/support/native.h"

namespace cordon::platform {
namespace {

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

TEST(WindowsSystem, TheAgentsFolderIsMadeAndMadeAgain) {
  if (!testing::UnderWine())
    GTEST_SKIP() << "Windows: the folder is the machine's own; scripts/windows-verify.ps1 looks at it";
  EXPECT_EQ(MakeAgentFolder(), absl::OkStatus());
  EXPECT_EQ(MakeAgentFolder(), absl::OkStatus());
  EXPECT_EQ(MakePrivateFolder(AgentFolder() / "State"), absl::OkStatus());
  EXPECT_EQ(CheckSettingsFile(AgentFolder() / "none.toml").code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(WriteFileDurably(AgentFolder() / "own.toml", "", FileAccess::kEveryoneReads).ok());
  EXPECT_EQ(CheckSettingsFile(AgentFolder() / "own.toml"), absl::OkStatus());
  EXPECT_EQ(RemoveFileOfFolderOwner(AgentFolder(), "own.toml"), absl::OkStatus());
  EXPECT_EQ(RemoveFileOfFolderOwner(AgentFolder(), "own.toml"), absl::OkStatus()) << "it is gone already";
}

}  // namespace
}  // namespace cordon::platform
