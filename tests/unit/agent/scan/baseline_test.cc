#include "agent/scan/baseline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "agent/scan/known_entries.h"
#include "agent/scan/records_ahead.h"
#include "agent/scan/scan_database.h"
#include "common/base/strings.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using ::testing::ElementsAre;
using testing::IsOk;
using testing::TempFolder;

class BaselineTest : public ::testing::Test {
 protected:
  void Record(const std::vector<std::string>& paths, const std::string& root) {
    std::map<std::string, std::vector<FileRecord>> folders;
    for (const std::string& path : paths) {
      const std::string folder = path == root ? root : std::filesystem::path(path).parent_path().string();
      folders[folder].push_back({.path = path});
    }
    for (auto& [folder, records] : folders) ASSERT_THAT(baseline_.Add(folder, std::move(records)), IsOk());
    ASSERT_THAT(baseline_.Replace({root}, 1), IsOk());
  }
  std::vector<std::string> Below(const std::string& folder) {
    std::vector<std::string> paths;
    const absl::Status status = baseline_.ForEachBelow(folder, [&](const FileRecord& record) {
      paths.push_back(record.path);
      return absl::OkStatus();
    });
    EXPECT_THAT(status, IsOk());
    return paths;
  }
  static std::vector<std::string> Many(const std::string& folder, int count) {
    std::vector<std::string> paths;
    for (int i = 0; i < count; ++i) paths.push_back(StrCat(folder, "/", 10'000 + i));
    return paths;
  }

  TempFolder folder_;
  std::string notice_;
  Database database_ = *OpenScanDatabase(folder_ / "baseline.db", &notice_);
  Baseline baseline_{database_};
};

TEST_F(BaselineTest, BelowAFolderIsWhatIsInItAndNoSiblingOfALikeName) {
  Record({"/", "/a", "/a-b", "/a-b/x", "/a/1", "/a/b", "/a/b/2", "/a/b-c/3", "/a0", "/a0/x"}, "/");
  EXPECT_THAT(Below("/a"), ElementsAre("/a/1", "/a/b", "/a/b/2", "/a/b-c/3"));
  EXPECT_THAT(Below("/"),
              ElementsAre("/a", "/a-b", "/a0", "/a/1", "/a/b", "/a-b/x", "/a/b/2", "/a/b-c/3", "/a0/x"));
  EXPECT_THAT(Below("/none"), ElementsAre());
}

TEST_F(BaselineTest, WhoVisitsWritesAlsoAfterAnotherConnectionDid) {
  const std::vector<std::string> paths = Many("/r/d", 2'500);
  Record(paths, "/r");
  auto orders = Database::Open(folder_ / "baseline.db", Database::Durability::kFull);
  ASSERT_TRUE(orders.ok()) << orders.status();
  std::vector<std::string> visited;
  const absl::Status status = baseline_.ForEachBelow("/r", [&](const FileRecord& record) -> absl::Status {
    visited.push_back(record.path);
    if (visited.size() % 700 == 1) {
      EXPECT_THAT(
          orders->Execute("UPDATE job SET paused = 1; INSERT INTO covered VALUES(randomblob(9), 1, x'')"),
          IsOk());
    }
    return database_.Execute("INSERT INTO told VALUES(randomblob(16), 0)");
  });
  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(visited, paths);
}

TEST_F(BaselineTest, KeepsWhatARecordHolds) {
  FileRecord record{.path = "/r/file",
                    .metadata = {.type = platform::FileType::kFile,
                                 .size = 3,
                                 .mode = 0644,
                                 .uid = 1000,
                                 .gid = 1001,
                                 .mtime_unix_nanos = -5,
                                 .ctime_unix_nanos = 1'700'000'000'000'000'001,
                                 .inode = 7,
                                 .links = 2},
                    .sha256 = std::string(32, 's'),
                    .attributes = {.sha256 = std::string(32, 'a'), .capabilities = "cap_net_raw=ep"}};
  FileRecord link{.path = "/r/\xff",
                  .metadata = {.type = platform::FileType::kSymlink, .link_target = "\xfe"}};
  ASSERT_THAT(baseline_.Add("/r", {link, {.path = "/r", .metadata = {.mode = 0755}}, record}), IsOk());
  ASSERT_THAT(baseline_.Replace({"/r"}, 1), IsOk());
  v1::BaselineFolder children;
  children.add_entries()->set_name("of another folder");
  ASSERT_THAT(baseline_.Children("/r", &children), IsOk());
  ASSERT_EQ(children.entries_size(), 2);
  EXPECT_TRUE(LooksUntouched(children.entries(0), record.metadata));
  const FileRecord kept = ToRecord("/r", children.entries(0));
  EXPECT_EQ(kept.path, record.path);
  EXPECT_TRUE(LooksUntouched(kept.metadata, record.metadata));
  EXPECT_FALSE(Compare(kept, record).has_value());
  EXPECT_EQ(kept.sha256, record.sha256);
  EXPECT_EQ(ToRecord("/r", children.entries(1)).path, link.path);
  EXPECT_EQ(children.entries(1).link_target(), "\xfe");
  EXPECT_EQ((*baseline_.Find("/r"))->metadata.mode, 0755U);
  EXPECT_EQ((*baseline_.Find("/r/file"))->metadata.mode, 0644U);
  EXPECT_FALSE((*baseline_.Find("/r/none")).has_value());
  EXPECT_EQ(*baseline_.CountBelow("/r"), 1U);
}

// Who could change those in the baseline could have a changed file passed over.
TEST_F(BaselineTest, ItsHashIsOverTimesAndInodesToo) {
  const auto hash_with = [&](const platform::FileMetadata& metadata) {
    EXPECT_THAT(baseline_.Add("/r", {{.path = "/r/file", .metadata = metadata}}), IsOk());
    EXPECT_THAT(baseline_.Replace({"/r"}, 1), IsOk());
    return *baseline_.Hash({"/r"});
  };
  const std::string first = hash_with({.mtime_unix_nanos = 1, .ctime_unix_nanos = 1, .inode = 1});
  EXPECT_EQ(hash_with({.mtime_unix_nanos = 1, .ctime_unix_nanos = 1, .inode = 1}), first);
  EXPECT_NE(hash_with({.mtime_unix_nanos = 2, .ctime_unix_nanos = 1, .inode = 1}), first);
  EXPECT_NE(hash_with({.mtime_unix_nanos = 1, .ctime_unix_nanos = 2, .inode = 1}), first);
  EXPECT_NE(hash_with({.mtime_unix_nanos = 1, .ctime_unix_nanos = 1, .inode = 2}), first);
}

TEST_F(BaselineTest, APartThatIsRecordedAnewIsNewInTheWholeToo) {
  ASSERT_THAT(baseline_.Add("/r", {{.path = "/r/a"}, {.path = "/r/b"}, {.path = "/r/c"}}), IsOk());
  ASSERT_THAT(baseline_.Add("/r/b", {{.path = "/r/b/old"}}), IsOk());
  ASSERT_THAT(baseline_.Replace({"/r"}, 1), IsOk());
  const std::string before = *baseline_.Hash({"/r"});
  ASSERT_THAT(baseline_.Add("/r/b", {{.path = "/r/b", .metadata = {.mode = 0700}}, {.path = "/r/b/new"}}),
              IsOk());
  ASSERT_THAT(baseline_.Replace({"/r/b"}, 2), IsOk());
  v1::BaselineFolder children;
  ASSERT_THAT(baseline_.Children("/r", &children), IsOk());
  EXPECT_EQ(children.entries(1).mode(), 0700U);
  ASSERT_THAT(baseline_.Children("/none", &children), IsOk());
  EXPECT_EQ(children.entries_size(), 0);
  EXPECT_EQ((*baseline_.Find("/r/b"))->metadata.mode, 0700U);
  EXPECT_THAT(Below("/r"), ElementsAre("/r/a", "/r/b", "/r/c", "/r/b/new"));
  EXPECT_NE(*baseline_.Hash({"/r"}), before);
  // It is gone, and the whole is recorded anew: nothing of it is left.
  ASSERT_THAT(baseline_.Replace({"/r/b"}, 3), IsOk());
  EXPECT_THAT(Below("/r"), ElementsAre("/r/a", "/r/c"));
  EXPECT_FALSE((*baseline_.Find("/r/b")).has_value());
}

TEST_F(BaselineTest, OnlyWhatIsRecordedAnewIsReplaced) {
  const auto record = [&](const std::vector<std::string>& roots, const std::string& name) {
    for (const std::string& root : roots) {
      EXPECT_THAT(baseline_.Add(root, {{.path = StrCat(root, "/", name)}}), IsOk());
      EXPECT_THAT(baseline_.Add(StrCat(root, "/d"), {{.path = StrCat(root, "/d/", name)}}), IsOk());
    }
    EXPECT_THAT(baseline_.Replace(roots, 1), IsOk());
  };
  record({"/a", "/a-b", "/c"}, "1");
  record({"/c", "/a"}, "2");  // "/a-b" comes between "/a" and "/a/"
  EXPECT_THAT(Below("/a"), ElementsAre("/a/2", "/a/d/2"));
  EXPECT_THAT(Below("/a-b"), ElementsAre("/a-b/1", "/a-b/d/1"));
  EXPECT_THAT(Below("/c"), ElementsAre("/c/2", "/c/d/2"));
  record({"/a-b", "/c"}, "3");  // one stays before them
  EXPECT_THAT(Below("/a"), ElementsAre("/a/2", "/a/d/2"));
  record({"/a", "/a-b"}, "4");  // one stays behind them
  EXPECT_THAT(Below("/c"), ElementsAre("/c/3", "/c/d/3"));
  record({"/c", "/a", "/a-b"}, "5");  // all
  EXPECT_THAT(Below("/"), ElementsAre("/a/5", "/a-b/5", "/a-b/d/5", "/a/d/5", "/c/5", "/c/d/5"));
}

// Decision 0055.
TEST_F(BaselineTest, WhatIsDeletedIsNotOverwritten) {
  auto asked = database_.Prepare("PRAGMA secure_delete");
  ASSERT_TRUE(asked.ok()) << asked.status();
  ASSERT_TRUE(*asked->Step());
  EXPECT_EQ(asked->Int(0), 0);
}

TEST_F(BaselineTest, ARowThatCannotBeReadIsNamed) {
  ASSERT_THAT(baseline_.Add("/r", {{.path = "/r/a"}}), IsOk());
  ASSERT_THAT(baseline_.Replace({"/r"}, 1), IsOk());
  ASSERT_THAT(database_.Execute("UPDATE folder SET entries = x'0a'"), IsOk());
  v1::BaselineFolder children;
  EXPECT_TRUE(absl::IsDataLoss(baseline_.Children("/r", &children)));
  const auto found = baseline_.Find("/r/a");
  EXPECT_TRUE(absl::IsDataLoss(found.status()));
  EXPECT_NE(found.status().message().find("/r"), std::string::npos);
}

TEST_F(BaselineTest, WhatIsNotTakenIsLeft) {
  ASSERT_THAT(baseline_.Add("/r", {{.path = "/r/c"}, {.path = "/r/b0"}, {.path = "/r/a"}, {.path = "/r/b"}}),
              IsOk());
  ASSERT_THAT(baseline_.Replace({"/r"}, 1), IsOk());
  KnownEntries known;
  ASSERT_THAT(known.Load(baseline_, "/r"), IsOk());
  ASSERT_NE(known.Take("b0"), nullptr);
  EXPECT_EQ(known.Take("b0")->name(), "b0");
  EXPECT_NE(known.Take("a"), nullptr);
  EXPECT_EQ(known.Take("0"), nullptr);
  EXPECT_EQ(known.Take("b1"), nullptr);
  EXPECT_EQ(known.Take("d"), nullptr);
  std::vector<std::string> left;
  for (const v1::BaselineEntry* entry : known.NotTaken()) left.push_back(entry->name());
  EXPECT_THAT(left, ElementsAre("b", "c"));
  known.Clear();
  EXPECT_EQ(known.Take("a"), nullptr);
  EXPECT_TRUE(known.NotTaken().empty());
}

class RecordsAheadTest : public BaselineTest {
 protected:
  // Folders "00", "01", … of one file each, below "/r" and below each of them.
  void SetUp() override {
    std::vector<FileRecord> all = {{.path = "/r", .metadata = {.type = platform::FileType::kDirectory}}};
    for (int i = 0; i < kFolders; ++i) {
      const std::string folder = Name(i);
      all.push_back({.path = folder, .metadata = {.type = platform::FileType::kDirectory}});
      const std::string inner = StrCat(folder, "/inner");
      ASSERT_THAT(
          baseline_.Add(folder, {{.path = StrCat(folder, "/file")},
                                 {.path = inner, .metadata = {.type = platform::FileType::kDirectory}}}),
          IsOk());
      ASSERT_THAT(baseline_.Add(inner, {{.path = StrCat(inner, "/f", i)}}), IsOk());
    }
    ASSERT_THAT(baseline_.Add("/r", std::move(all)), IsOk());
    ASSERT_THAT(baseline_.Replace({"/r"}, 1), IsOk());
  }
  static std::string Name(int i) { return StrCat("/r/", 1'000 + i); }
  std::unique_ptr<RecordsAhead> Begin() {
    return std::make_unique<RecordsAhead>(*Database::OpenReadOnly(folder_ / "baseline.db"), "/r");
  }
  // The name of its last entry; empty: it is not known.
  static std::string Last(RecordsAhead& ahead, const std::string& folder) {
    v1::BaselineFolder entries;
    if (!ahead.Take(folder, &entries) || entries.entries().empty()) return "";
    return entries.entries(entries.entries_size() - 1).name();
  }

  static constexpr int kFolders = 500;  // many more than it keeps
};

TEST_F(RecordsAheadTest, KnowsAllInTheOrderOfTheWalk) {
  const auto ahead = Begin();
  EXPECT_EQ(Last(*ahead, "/r"), StrCat(1'000 + kFolders - 1));
  for (int i = 0; i < kFolders; ++i) {
    EXPECT_EQ(Last(*ahead, Name(i)), "inner") << i;
    EXPECT_EQ(Last(*ahead, StrCat(Name(i), "/inner")), StrCat("f", i));
  }
  EXPECT_EQ(Last(*ahead, "/r/9999"), "") << "there is no more";
}

TEST_F(RecordsAheadTest, WhatIsNewIsNotKnownAndWhatIsGoneIsPassedOver) {
  const auto ahead = Begin();
  EXPECT_EQ(Last(*ahead, "/r"), StrCat(1'000 + kFolders - 1));
  EXPECT_EQ(Last(*ahead, "/r/0-new"), "");
  EXPECT_EQ(Last(*ahead, "/r/0-new/inner"), "");
  EXPECT_EQ(Last(*ahead, Name(0)), "inner");
  EXPECT_EQ(Last(*ahead, StrCat(Name(0), "/in")), "");
  EXPECT_EQ(Last(*ahead, StrCat(Name(300), "/inner")), "f300") << "all before it is gone";
  EXPECT_EQ(Last(*ahead, Name(301)), "inner");
}

TEST_F(RecordsAheadTest, EndsWithoutBeingAsked) {
  EXPECT_NE(Begin(), nullptr);
}

TEST_F(RecordsAheadTest, KnowsNothingOfWhatIsDamaged) {
  ASSERT_THAT(database_.Execute("UPDATE folder SET entries = x'0a' WHERE path = x'2f722f31303031'"), IsOk());
  const auto ahead = Begin();
  EXPECT_EQ(Last(*ahead, "/r"), StrCat(1'000 + kFolders - 1));
  EXPECT_EQ(Last(*ahead, Name(0)), "inner");
  EXPECT_EQ(Last(*ahead, StrCat(Name(0), "/inner")), "f0");
  EXPECT_EQ(Last(*ahead, Name(1)), "") << "the baseline says why";
}

TEST_F(BaselineTest, AStopEndsIt) {
  Record(Many("/r/d", 2'500), "/r");
  size_t visited = 0;
  const auto count = [&](const FileRecord&) {
    ++visited;
    return absl::OkStatus();
  };
  EXPECT_THAT(baseline_.ForEachBelow("/r", count, [&] { return visited == 0; }), IsOk());
  EXPECT_GT(visited, 0U);
  EXPECT_LT(visited, 2'500U);
  EXPECT_TRUE(absl::IsCancelled(baseline_.Hash({"/r"}, [] { return false; }).status()));
  EXPECT_TRUE(baseline_.Hash({"/r"}).ok());
}

}  // namespace
}  // namespace cordon::agent
