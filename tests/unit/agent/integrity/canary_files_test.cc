#include "agent/integrity/canary_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using ::testing::IsEmpty;
using testing::IsOk;
using ::testing::SizeIs;
using testing::TempFolder;

std::vector<std::string> NamesIn(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().string());
  return names;
}

class CanaryFilesTest : public ::testing::Test {
 protected:
  TempFolder state_, documents_, others_;
  CanaryFiles canaries_{state_.Path() / kCanaryList};
};

TEST_F(CanaryFilesTest, TwoAreLaidPerFolderAndKnown) {
  ASSERT_THAT(canaries_.Lay({documents_.Path()}), IsOk());
  const std::vector<std::string> names = NamesIn(documents_.Path());
  ASSERT_THAT(names, SizeIs(2));
  for (const std::string& name : names) {
    EXPECT_TRUE(canaries_.IsCanary(name));
    EXPECT_GE(std::filesystem::file_size(name), 4096U) << "worth encrypting";
  }
  EXPECT_FALSE(canaries_.IsCanary((documents_ / "letter.docx").string()));
  EXPECT_FALSE(canaries_.IsCanary((others_.Path() / std::filesystem::path(names[0]).filename()).string()));
}

TEST_F(CanaryFilesTest, WhatWasDeletedIsLaidAgainAndWhatWasChangedStays) {
  ASSERT_THAT(canaries_.Lay({documents_.Path()}), IsOk());
  const std::vector<std::string> names = NamesIn(documents_.Path());
  std::filesystem::remove(names[0]);
  std::ofstream(names[1]) << "encrypted";
  ASSERT_THAT(canaries_.Lay({documents_.Path()}), IsOk());
  EXPECT_TRUE(std::filesystem::exists(names[0]));
  EXPECT_EQ(std::filesystem::file_size(names[1]), 9U) << "evidence is not written over";
  canaries_.Remove();
  EXPECT_THAT(NamesIn(documents_.Path()), SizeIs(1));
}

TEST_F(CanaryFilesTest, TheyLeaveAFolderThatIsNotListedAnyMoreAlsoAfterARestart) {
  ASSERT_THAT(canaries_.Lay({documents_.Path()}), IsOk());
  CanaryFiles next(state_.Path() / kCanaryList);
  ASSERT_THAT(next.Lay({others_.Path()}), IsOk());
  EXPECT_THAT(NamesIn(documents_.Path()), IsEmpty());
  EXPECT_THAT(NamesIn(others_.Path()), SizeIs(2));
  CanaryFiles(state_.Path() / kCanaryList).Remove();
  EXPECT_THAT(NamesIn(others_.Path()), IsEmpty());
}

TEST_F(CanaryFilesTest, AFolderBehindALinkIsNotWrittenTo) {
  const std::filesystem::path link = documents_.Path() / "Documents";
  std::filesystem::create_directory_symlink(others_.Path(), link);
  const absl::Status laid = canaries_.Lay({link});
  EXPECT_THAT(std::string(laid.message()), ::testing::HasSubstr("symbolic link"));
  EXPECT_THAT(NamesIn(others_.Path()), IsEmpty());
}

TEST_F(CanaryFilesTest, TheOwnerOfTheFolderOwnsThem) {
  if (geteuid() != 0) GTEST_SKIP() << "giving files away needs root";
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(chown(documents_.Path().c_str(), kNobody, kNobody), 0);
  ASSERT_THAT(canaries_.Lay({documents_.Path()}), IsOk());
  for (const std::string& name : NamesIn(documents_.Path())) {
    struct stat info{};
    ASSERT_EQ(stat(name.c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, kNobody);
    EXPECT_EQ(info.st_mode & 07777, 0644U);
  }
}

TEST_F(CanaryFilesTest, AFolderThatIsNotThereIsNoError) {
  EXPECT_THAT(canaries_.Lay({documents_.Path() / "none"}), IsOk());
}

}  // namespace
}  // namespace cordon::agent
