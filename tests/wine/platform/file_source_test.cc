// platform/api/file_source.h where Windows is a case of its own; the rest is in tests/contract.

#include "platform/api/file_source.h"

#include <gtest/gtest.h>

#include <fstream>

#include "platform/api/file_names.h"
#include "platform/api/file_tree.h"
#include "platform/windows/system/handle.h"
#include "tests/wine/platform/wine.h"

namespace cordon::platform {
namespace {

namespace fs = std::filesystem;
using cordon::testing::Log;
using cordon::testing::WindowsFolder;
using Kind = RawFileEvent::Kind;

class WindowsFileSource : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = folder_ / "root";
    fs::create_directory(root_);
  }
  void Start() { Start({.roots = {root_}, .excluded = {root_ / "excluded"}, .canary = {}}); }
  void Start(const FileWatch& watch) {
    const absl::Status status = source_->Start(watch, log_.Deliver());
    ASSERT_TRUE(status.ok()) << status;
  }
  bool Told(Kind kind, const fs::path& path) {
    return log_.WaitFor([&](const RawFileEvent& event) { return event.kind == kind && event.path == path; });
  }
  static void Write(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::app) << text;
  }

  WindowsFolder folder_;
  fs::path root_;
  Log<RawFileEvent> log_;
  std::unique_ptr<FileSource> source_ = MakeFileSource();
};

// Half of a surrogate pair is no text, and a name all the same: whoever may make a file can make such a one.
TEST_F(WindowsFileSource, TEL1_ANameThatIsNoTextIsToldAndEndsNothing) {
  const fs::path odd = root_ / std::wstring(L"a\xd800");
  Handle made(
      CreateFileW(odd.c_str(), GENERIC_WRITE, 0, nullptr, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr));
  if (!made.Valid()) {
    CORDON_SKIP_UNDER_WINE("names with half of a surrogate pair (CreateFileW)");
    FAIL() << "error " << GetLastError();
  }
  made = Handle();
  EXPECT_TRUE(ReadFileMetadata(odd).ok());
  EXPECT_FALSE(ReadFileMetadata(root_ / std::wstring(L"b\xd800")).ok())
      << "and an error names no text either";
  std::string name;
  EXPECT_TRUE(ReadFolder(root_, [&](const FolderEntry& entry) {
                name = entry.name;
                return true;
              }).ok());
  EXPECT_EQ(root_ / PathOfBytes(name), odd);
  Start();
  ASSERT_NE(DeleteFileW(odd.c_str()), 0);
  EXPECT_TRUE(Told(Kind::kDeleted, odd));
  Write(root_ / "after", "1");
  EXPECT_TRUE(Told(Kind::kCreated, root_ / "after"));
}

TEST_F(WindowsFileSource, CapitalsMakeNoDifferenceToWhatIsExcluded) {
  fs::create_directory(root_ / "Excluded");
  Start({.roots = {root_}, .excluded = {root_ / "eXCLUDED"}, .canary = {}});
  Write(root_ / "Excluded" / "hidden", "1");
  Write(root_ / "last", "2");
  ASSERT_TRUE(Told(Kind::kCreated, root_ / "last"));
  for (const RawFileEvent& event : log_.Events()) EXPECT_NE(event.path, root_ / "Excluded" / "hidden");
}

TEST_F(WindowsFileSource, TellsWhatChangedWhileNoneRan) {
  CORDON_SKIP_UNDER_WINE("FSCTL_QUERY_USN_JOURNAL");
  fs::create_directory(folder_ / "memory");
  const FileWatch watch{
      .roots = {root_}, .excluded = {}, .canary = {}, .memory = folder_ / "memory", .catch_up = true};
  Start(watch);
  Write(root_ / "seen", "1");
  ASSERT_TRUE(Told(Kind::kCreated, root_ / "seen"));
  source_->Stop();
  Write(root_ / "missed", "2");
  source_ = MakeFileSource();
  Start(watch);
  EXPECT_TRUE(log_.WaitFor([&](const RawFileEvent& event) {
    return event.kind == Kind::kCreated && event.path == root_ / "missed" && event.while_away;
  }));
  for (const RawFileEvent& event : log_.Events())
    EXPECT_FALSE(event.while_away && event.path == root_ / "seen");
}

// Where there is no journal (wine) the source says so and works on.
TEST_F(WindowsFileSource, WithoutAJournalItSaysThatScansAloneFindWhatChangedBefore) {
  if (!cordon::testing::UnderWine()) GTEST_SKIP() << "there is a journal here";
  fs::create_directory(folder_ / "memory");
  Start({.roots = {root_}, .excluded = {}, .canary = {}, .memory = folder_ / "memory", .catch_up = true});
  bool said = false;
  for (const std::string& limitation : source_->Info().limitations)
    said = said || limitation.find("found by a scan alone") != std::string::npos;
  EXPECT_TRUE(said);
  Write(root_ / "a", "1");
  EXPECT_TRUE(Told(Kind::kCreated, root_ / "a"));
  for (const RawFileEvent& event : log_.Events()) EXPECT_NE(event.kind, Kind::kOverflow);
}

// The kernel's trace of files.
TEST_F(WindowsFileSource, TellsWhichProcessChangedAFile) {
  CORDON_SKIP_UNDER_WINE("ETW (OpenTraceW)");
  Start();
  Write(root_ / "a", "1");
  const auto told = [&](Kind kind, const fs::path& path) {
    return log_.WaitFor([&](const RawFileEvent& event) {
      return event.kind == kind && event.path == path && event.pid == GetCurrentProcessId();
    });
  };
  EXPECT_TRUE(told(Kind::kCreated, root_ / "a"));
  Write(root_ / "a", "2");
  EXPECT_TRUE(told(Kind::kModified, root_ / "a"));
  fs::rename(root_ / "a", root_ / "b");
  EXPECT_TRUE(told(Kind::kRenamed, root_ / "b"));
  fs::remove(root_ / "b");
  EXPECT_TRUE(told(Kind::kDeleted, root_ / "b"));
}

// Beside the source that is in force another one begins, as when a policy changes: neither ends the other's
// trace.
TEST_F(WindowsFileSource, TwoSourcesNameProcessesBesideEachOther) {
  CORDON_SKIP_UNDER_WINE("ETW (OpenTraceW)");
  Start();
  Log<RawFileEvent> other_log;
  const std::unique_ptr<FileSource> other = MakeFileSource();
  ASSERT_TRUE(other->Start({.roots = {root_}, .excluded = {}, .canary = {}}, other_log.Deliver()).ok());
  source_->Stop();
  Write(root_ / "a", "1");
  EXPECT_TRUE(
      other_log.WaitFor([](const RawFileEvent& event) { return event.pid == GetCurrentProcessId(); }));
}

// Where there is no trace (wine) the source says so and works on.
TEST_F(WindowsFileSource, WithoutATraceItSaysThatNobodyIsNamed) {
  if (!cordon::testing::UnderWine()) GTEST_SKIP() << "there is a trace here";
  Start();
  bool said = false;
  for (const std::string& limitation : source_->Info().limitations)
    said = said || limitation.find("Who changed a file is not known (ETW: ") != std::string::npos;
  EXPECT_TRUE(said);
  Write(root_ / "a", "1");
  EXPECT_TRUE(Told(Kind::kCreated, root_ / "a"));
  for (const RawFileEvent& event : log_.Events()) EXPECT_EQ(event.pid, 0U);
}

TEST_F(WindowsFileSource, ARootThatIsAFileIsAnErrorThatNamesIt) {
  Write(root_ / "file", "x");
  const absl::Status status =
      source_->Start({.roots = {root_ / "file"}, .excluded = {}, .canary = {}}, log_.Deliver());
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.ToString().find("file"), std::string::npos);
}

}  // namespace
}  // namespace cordon::platform
