// platform/api/files.h and file_tree.h where Windows is a case of its own; the rest is in tests/contract.

#include "platform/api/files.h"

#include <gtest/gtest.h>

#include "platform/api/file_tree.h"
#include "platform/windows/system/agent_folder.h"
#include "tests/wine/platform/wine.h"

namespace cordon::platform {
namespace {

namespace fs = std::filesystem;
using cordon::testing::WindowsFolder;

bool Always() {
  return true;
}

TEST(WindowsFiles, TheAgentsFolderIsMadeAndMadeAgain) {
  if (!cordon::testing::UnderWine())
    GTEST_SKIP() << "it is the machine's own; scripts/windows-verify.ps1 looks at it";
  EXPECT_EQ(MakeAgentFolder(), absl::OkStatus());
  EXPECT_EQ(MakeAgentFolder(), absl::OkStatus());
  EXPECT_EQ(MakePrivateFolder(AgentFolder() / "State"), absl::OkStatus());
  EXPECT_EQ(CheckSettingsFile(AgentFolder() / "none.toml").code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(WriteFileDurably(AgentFolder() / "own.toml", "", FileAccess::kEveryoneReads).ok());
  EXPECT_EQ(CheckSettingsFile(AgentFolder() / "own.toml"), absl::OkStatus());
  EXPECT_EQ(RemoveFileOfFolderOwner(AgentFolder(), "own.toml"), absl::OkStatus());
  EXPECT_EQ(RemoveFileOfFolderOwner(AgentFolder(), "own.toml"), absl::OkStatus()) << "it is gone already";
}

TEST(WindowsFileTree, NoLinkIsFollowed) {
  CORDON_SKIP_UNDER_WINE("CreateSymbolicLinkW: it answers 1 and makes none");
  const WindowsFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "file", "content", FileAccess::kOwnerOnly).ok());
  if (CreateSymbolicLinkW((folder / "link").c_str(), L"file", SYMBOLIC_LINK_FLAG_ALLOW_UNPRIVILEGED_CREATE) ==
      0)
    GTEST_SKIP() << "not root: only an administrator makes a link here, error " << GetLastError();
  const auto link = ReadFileMetadata(folder / "link");
  ASSERT_TRUE(link.ok()) << link.status();
  EXPECT_EQ(link->type, FileType::kSymlink);
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenForReading(folder / "link").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(HashFile(folder / "link", 100, Always).status()));
}

TEST(WindowsFileTree, PathsBeyondTheOldLimitWork) {
  const WindowsFolder folder;
  fs::path deep = folder.Path();
  for (int level = 0; level < 12; ++level) {
    deep /= std::string(40, 'd');
    ASSERT_TRUE(MakePrivateFolder(deep).ok());
  }
  ASSERT_GT(deep.native().size(), 400U);
  EXPECT_TRUE(WriteFileDurably(deep / "x", "deep", FileAccess::kOwnerOnly).ok());
  EXPECT_TRUE(HashFile(deep / "x", 9, Always).ok());
}

}  // namespace
}  // namespace cordon::platform
