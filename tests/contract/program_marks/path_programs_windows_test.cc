// ProgramMarks on Windows, where WFP's filters name a program by its path and nothing is marked: what remains
// of the contract is that a program which is not the one that the profile names is told.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/crypto/digest.h"
#include "platform/api/program_marks.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

TEST(PathPrograms, AMissingProgramIsUnboundAndAnotherOneIsADifference) {
  const testing::TempFolder folder;
  std::ofstream(folder / "pms.exe") << "program";
  const auto marks = MakeProgramMarks();
  const ProgramIdentity right{.path = (folder / "pms.exe").string(), .sha256 = Sha256("program")};
  const ProgramIdentity another{.path = right.path, .sha256 = Sha256("another")};
  const ProgramIdentity missing{.path = (folder / "none.exe").string(), .sha256 = {}};
  ASSERT_TRUE(marks->Apply({right, missing}).ok());
  const auto read = marks->ReadBack({right, missing});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->matches);
  EXPECT_TRUE(read->differences.empty());
  ASSERT_EQ(read->unbound.size(), 1U);
  EXPECT_NE(read->unbound[0].find("none.exe"), std::string::npos);
  const auto replaced = marks->ReadBack({another});
  ASSERT_TRUE(replaced.ok()) << replaced.status();
  EXPECT_FALSE(replaced->matches);
  ASSERT_EQ(replaced->differences.size(), 1U);
  EXPECT_NE(replaced->differences[0].find("pms.exe"), std::string::npos);
  EXPECT_TRUE(marks->ReadBack({})->matches);
}

}  // namespace
}  // namespace cordon::platform
