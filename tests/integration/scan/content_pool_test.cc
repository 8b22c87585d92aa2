#include "agent/scan/content_pool.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "common/crypto/digest.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using cordon::testing::TempFolder;

class ContentPoolTest : public ::testing::Test {
 protected:
  static std::vector<std::unique_ptr<RuleScanner>> Threads(size_t count) {
    return std::vector<std::unique_ptr<RuleScanner>>(count);
  }

  ContentPool::Job Write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return {.path = (folder_ / name).string(), .metadata = {.size = content.size()}};
  }

  TempFolder folder_;
};

// Threads take several at once.
TEST_F(ContentPoolTest, EachFileComesBackOnceWithItsOwnContent) {
  std::map<std::string, std::string> expected;  // by path
  ContentPool pool({}, [] { return true; }, [] { return true; }, Threads(2));
  for (int i = 0; i < 500; ++i) {
    const std::string content = i % 50 == 7 ? std::string(400'000, 'x') : std::to_string(i);
    ContentPool::Job job = Write("f" + std::to_string(i), content);
    expected[job.path] = Sha256(content);
    ASSERT_TRUE(pool.TrySubmit(&job));
  }
  ContentPool::Job missing{.path = (folder_ / "none").string()};
  ASSERT_TRUE(pool.TrySubmit(&missing));
  std::vector<ContentPool::Result> results;
  size_t not_found = 0;
  while (pool.Outstanding() > 0) {
    pool.Take(std::chrono::seconds(1), &results);
    for (const ContentPool::Result& result : results) {
      if (absl::IsNotFound(result.content.status())) {
        ++not_found;
        EXPECT_EQ(result.job->path, (folder_ / "none").string());
        continue;
      }
      ASSERT_TRUE(result.content.ok()) << result.content.status();
      const auto found = expected.find(result.content->file.path);
      ASSERT_NE(found, expected.end()) << "twice, or another one: " << result.content->file.path;
      EXPECT_EQ(result.content->file.sha256, found->second);
      expected.erase(found);
    }
  }
  EXPECT_EQ(not_found, 1U);
  EXPECT_TRUE(expected.empty()) << expected.size() << " did not come back";
}

// A cancelled scan waits for no file that was only taken with another one.
TEST_F(ContentPoolTest, AfterAStopNoFileIsOpenedAnyMore) {
  ContentPool pool({}, [] { return true; }, [] { return false; }, Threads(1));
  for (int i = 0; i < 40; ++i) {
    ContentPool::Job job{.path = (folder_ / "none").string()};
    ASSERT_TRUE(pool.TrySubmit(&job));
  }
  std::vector<ContentPool::Result> results;
  size_t taken = 0;
  while (pool.Outstanding() > 0) {
    pool.Take(std::chrono::seconds(1), &results);
    taken += results.size();
    for (const ContentPool::Result& result : results) {
      EXPECT_TRUE(absl::IsCancelled(result.content.status())) << result.content.status();
    }
  }
  EXPECT_EQ(taken, 40U);
}

}  // namespace
}  // namespace cordon::agent
