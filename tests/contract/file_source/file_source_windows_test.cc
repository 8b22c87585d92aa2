// platform/api/file_source.h where Windows is a case of its own.

#include <gtest/gtest.h>
#include <windows.h>

#include <fstream>

#include "platform/api/file_source.h"
#include "tests/support/event_log.h"
#include "tests/support/native.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

using cordon::testing::EventLog;
using cordon::testing::TempFolder;
using Kind = RawFileEvent::Kind;

// Half of a surrogate pair is no text, and a name all the same: whoever may make a file can make such a one.
TEST(DirectoryChanges, TEL1_ANameThatIsNoTextIsToldAndEndsNothing) {
  const TempFolder folder;
  const std::filesystem::path odd = folder.Path() / std::wstring(L"a\xd800");
  HANDLE const made =
      CreateFileW(odd.c_str(), GENERIC_WRITE, 0, nullptr, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (made == INVALID_HANDLE_VALUE) {
    CORDON_SKIP_UNDER_WINE("CreateFileW takes no name with half of a surrogate pair");
    FAIL() << "error " << GetLastError();
  }
  CloseHandle(made);
  EventLog log;
  const auto source = MakeFileSource();
  ASSERT_TRUE(source->Start({.roots = {folder.Path()}, .excluded = {}, .canary = {}}, log.Deliver()).ok());
  ASSERT_NE(DeleteFileW(odd.c_str()), 0);
  EXPECT_TRUE(log.WaitFor(Kind::kDeleted, odd));
  std::ofstream(folder / "after") << "1";
  EXPECT_TRUE(log.WaitFor(Kind::kCreated, folder / "after"));
}

TEST(DirectoryChanges, ARootThatIsAFileIsAnErrorThatNamesIt) {
  const TempFolder folder;
  std::ofstream(folder / "file") << "x";
  EventLog log;
  const absl::Status status =
      MakeFileSource()->Start({.roots = {folder / "file"}, .excluded = {}, .canary = {}}, log.Deliver());
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("file"), std::string_view::npos) << status;
}

TEST(DirectoryChanges, CapitalsMakeNoDifferenceToWhatIsExcluded) {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "Excluded");
  EventLog log;
  const auto source = MakeFileSource();
  ASSERT_TRUE(
      source
          ->Start({.roots = {folder.Path()}, .excluded = {folder / "eXCLUDED"}, .canary = {}}, log.Deliver())
          .ok());
  std::ofstream(folder / "Excluded/hidden") << "1";
  std::ofstream(folder / "last") << "2";
  ASSERT_TRUE(log.WaitFor(Kind::kCreated, folder / "last"));
  EXPECT_FALSE(log.Has([&](const RawFileEvent& event) { return event.path == folder / "Excluded/hidden"; }));
}

}  // namespace
}  // namespace cordon::platform
