// platform/api/file_tree.h where Windows is a case of its own: links that rights are needed for, long paths,
// names that are no text.

#include <gtest/gtest.h>
#include <windows.h>

#include <fstream>

#include "platform/api/file_names.h"
#include "platform/api/file_tree.h"
#include "platform/api/files.h"
#include "tests/support/native.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

namespace fs = std::filesystem;
using cordon::testing::TempFolder;

bool KeepGoing() {
  return true;
}

TEST(WindowsFileTree, NoLinkIsFollowed) {
  const TempFolder folder;
  std::ofstream(folder / "file") << "content";
  CORDON_SKIP_UNDER_WINE("CreateSymbolicLinkW answers 1 and makes none");
  if (CreateSymbolicLinkW((folder / "link").c_str(), L"file", SYMBOLIC_LINK_FLAG_ALLOW_UNPRIVILEGED_CREATE) ==
      0) {
    GTEST_SKIP() << "not root: only an administrator makes a link here, error " << GetLastError();
  }
  const auto link = ReadFileMetadata(folder / "link");
  ASSERT_TRUE(link.ok()) << link.status();
  EXPECT_EQ(link->type, FileType::kSymlink);
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenForReading(folder / "link").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(HashFile(folder / "link", 100, KeepGoing).status()));
}

TEST(WindowsFileTree, PathsBeyondTheOldLimitWork) {
  const TempFolder folder;
  fs::path deep = folder.Path();
  for (int level = 0; level < 12; ++level) {
    deep /= std::string(40, 'd');
    ASSERT_TRUE(MakePrivateFolder(deep).ok());
  }
  ASSERT_GT(deep.native().size(), 400U);
  EXPECT_TRUE(WriteFileDurably(deep / "x", "deep", FileAccess::kOwnerOnly).ok());
  EXPECT_TRUE(HashFile(deep / "x", 9, KeepGoing).ok());
}

// Half of a surrogate pair is no text, and a name all the same.
TEST(WindowsFileTree, ANameThatIsNoTextIsReadAndErrorsNameNoneEither) {
  const TempFolder folder;
  const fs::path odd = folder.Path() / std::wstring(L"a\xd800");
  HANDLE const made =
      CreateFileW(odd.c_str(), GENERIC_WRITE, 0, nullptr, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (made == INVALID_HANDLE_VALUE) {
    CORDON_SKIP_UNDER_WINE("CreateFileW takes no name with half of a surrogate pair");
    FAIL() << "error " << GetLastError();
  }
  CloseHandle(made);
  EXPECT_TRUE(ReadFileMetadata(odd).ok());
  EXPECT_FALSE(ReadFileMetadata(folder.Path() / std::wstring(L"b\xd800")).ok());
  std::string name;
  EXPECT_TRUE(ReadFolder(folder.Path(), [&](const FolderEntry& entry) {
                name = entry.name;
                return true;
              }).ok());
  EXPECT_EQ(folder.Path() / PathOfBytes(name), odd);
}

}  // namespace
}  // namespace cordon::platform
