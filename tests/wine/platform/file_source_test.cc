// platform/api/file_source.h on Windows' implementation.

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

TEST_F(WindowsFileSource, TellsCreateModifyRenameDelete) {
  Start();
  Write(root_ / "a", "hello");
  EXPECT_TRUE(Told(Kind::kCreated, root_ / "a"));
  EXPECT_TRUE(Told(Kind::kModified, root_ / "a"));
  fs::rename(root_ / "a", root_ / "b");
  EXPECT_TRUE(log_.WaitFor([&](const RawFileEvent& event) {
    return event.kind == Kind::kRenamed && event.old_path == root_ / "a" && event.path == root_ / "b";
  }));
  fs::remove(root_ / "b");
  EXPECT_TRUE(Told(Kind::kDeleted, root_ / "b"));
  for (const RawFileEvent& event : log_.Events()) EXPECT_GT(event.boottime_nanos, 0);
}

TEST_F(WindowsFileSource, TellsWhatHappensInOldSubfolders) {
  fs::create_directories(root_ / "x" / "y");
  CORDON_SKIP_UNDER_WINE("ReadDirectoryChangesW below subfolders that stood before the watch");
  Start();
  Write(root_ / "x" / "y" / "file", "deep");
  EXPECT_TRUE(Told(Kind::kCreated, root_ / "x" / "y" / "file"));
}

// TEL-1
TEST_F(WindowsFileSource, AFolderThatComesWithFilesIsNotTakenForAnEmptyOne) {
  fs::create_directories(folder_ / "outside" / "tree");
  Write(folder_ / "outside" / "tree" / "file", "1");
  Start();
  fs::create_directory(root_ / "empty");
  fs::rename(folder_ / "outside" / "tree", root_ / "tree");
  const auto added = [&](const char* name, bool may_have_content) {
    return log_.WaitFor([&](const RawFileEvent& event) {
      return event.path == root_ / name && event.is_directory &&
             (event.kind == Kind::kRenamed || event.may_have_content == may_have_content);
    });
  };
  EXPECT_TRUE(added("tree", true));
  EXPECT_TRUE(added("empty", false));
}

// Half of a surrogate pair is no text, and a name all the same: whoever may make a file can make such a one.
TEST_F(WindowsFileSource, TEL1_ANameThatIsNoTextIsToldAndEndsNothing) {
  const fs::path odd = root_ / std::wstring(L"a\xd800");
  Handle made(
      CreateFileW(odd.c_str(), GENERIC_WRITE, 0, nullptr, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr));
  if (!made.Valid()) GTEST_SKIP() << "such a file cannot be made here: " << GetLastError();
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

TEST_F(WindowsFileSource, NameBytesTakesEveryName) {
  const fs::path odd = LR"(C:\Users\a)" + std::wstring(1, L'\xd800') + L"b";
  EXPECT_EQ(NameBytes(odd),
            "C:/Users/a\xed\xa0\x80"
            "b");
  EXPECT_EQ(PathOfBytes(NameBytes(odd)), odd);
  EXPECT_EQ(NameBytes(PathOfBytes("C:/\xff")), "C:/\xef\xbf\xbd");
  EXPECT_ANY_THROW((void)odd.generic_string()) << "what this is there for";
}

TEST_F(WindowsFileSource, LeavesOutWhatIsExcludedAndTellsTheCanary) {
  fs::create_directories(root_ / "excluded" / "canary");
  Start({.roots = {root_}, .excluded = {root_ / "excluded"}, .canary = root_ / "excluded" / "canary"});
  Write(root_ / "excluded" / "hidden", "1");
  Write(root_ / "excluded" / "canary" / "probe", "2");
  Write(root_ / "last", "3");
  EXPECT_TRUE(Told(Kind::kCreated, root_ / "excluded" / "canary" / "probe"));
  ASSERT_TRUE(Told(Kind::kCreated, root_ / "last"));
  for (const RawFileEvent& event : log_.Events()) EXPECT_NE(event.path, root_ / "excluded" / "hidden");
}

TEST_F(WindowsFileSource, ARootThatComesLaterIsWatchedAndSaysThatItWasNotBefore) {
  Start({.roots = {root_ / "later"}, .excluded = {}, .canary = {}});
  fs::create_directory(root_ / "later");
  EXPECT_TRUE(Told(Kind::kOverflow, root_ / "later"));
  Write(root_ / "later" / "file", "1");
  EXPECT_TRUE(Told(Kind::kCreated, root_ / "later" / "file"));
}

TEST_F(WindowsFileSource, TEL1_NothingIsLostInABurstWithoutAnOverflow) {
  constexpr int kFiles = 3'000;
  Start();
  for (int at = 0; at < kFiles; ++at) Write(root_ / StrCat("f", at), "x");
  ASSERT_TRUE(log_.WaitFor([&](const RawFileEvent& event) {
    return event.kind == Kind::kOverflow || event.path == root_ / StrCat("f", kFiles - 1);
  }));
  source_->Stop();
  int created = 0;
  bool overflow = false;
  for (const RawFileEvent& event : log_.Events()) {
    created += event.kind == Kind::kCreated ? 1 : 0;
    overflow = overflow || event.kind == Kind::kOverflow;
  }
  EXPECT_TRUE(created == kFiles || overflow) << created;
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

TEST_F(WindowsFileSource, ARootThatIsAFileIsAnErrorThatNamesIt) {
  Write(root_ / "file", "x");
  const absl::Status status =
      source_->Start({.roots = {root_ / "file"}, .excluded = {}, .canary = {}}, log_.Deliver());
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.ToString().find("file"), std::string::npos);
}

}  // namespace
}  // namespace cordon::platform
