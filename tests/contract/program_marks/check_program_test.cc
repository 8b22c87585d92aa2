// The contract of CheckProgram (platform/api/program_marks.h) on the native implementation.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/crypto/digest.h"
#include "platform/api/program_marks.h"
#include "tests/support/native.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

class CheckProgramTest : public ::testing::Test {
 protected:
  CheckProgramTest() { std::filesystem::copy_file(testing::Errand(), path_); }
  std::string Sha256OfProgram() const {
    std::ifstream file(path_, std::ios::binary);
    return Sha256(std::string(std::istreambuf_iterator<char>(file), {}));
  }

  const testing::TempFolder folder_;
  const std::filesystem::path path_ = folder_ / "program.exe";
};

TEST_F(CheckProgramTest, WhatStandsAtThePathIsTheProgramUnlessItsContentIsGiven) {
  EXPECT_EQ(CheckProgram({.path = path_.string(), .sha256 = {}}), absl::OkStatus());
  EXPECT_EQ(CheckProgram({.path = path_.string(), .sha256 = Sha256OfProgram()}), absl::OkStatus());
  const absl::Status other = CheckProgram({.path = path_.string(), .sha256 = Sha256("another")});
  EXPECT_TRUE(absl::IsFailedPrecondition(other)) << other;
  EXPECT_NE(other.message().find("SHA-256"), std::string_view::npos) << other;
  EXPECT_NE(other.message().find("program.exe"), std::string_view::npos) << other;
}

TEST_F(CheckProgramTest, AMissingOneAndAFolderAreNamed) {
  for (const std::string& sha256 : {std::string(), Sha256("some")}) {
    const absl::Status missing = CheckProgram({.path = (folder_ / "none.exe").string(), .sha256 = sha256});
    EXPECT_TRUE(absl::IsNotFound(missing)) << missing;
    EXPECT_NE(missing.message().find("none.exe"), std::string_view::npos) << missing;
    const absl::Status folder = CheckProgram({.path = folder_.Path().string(), .sha256 = sha256});
    EXPECT_TRUE(absl::IsFailedPrecondition(folder)) << folder;
  }
}

}  // namespace
}  // namespace cordon::platform
