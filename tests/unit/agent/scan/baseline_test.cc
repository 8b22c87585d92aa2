#include "agent/scan/baseline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
    for (const std::string& path : paths) ASSERT_THAT(baseline_.Add({.path = path}), IsOk());
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
      EXPECT_THAT(orders->Execute("UPDATE job SET paused = 1; INSERT INTO covered VALUES(randomblob(9), 1)"),
                  IsOk());
    }
    return database_.Execute("INSERT INTO told VALUES(randomblob(16), 0)");
  });
  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(visited, paths);
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
