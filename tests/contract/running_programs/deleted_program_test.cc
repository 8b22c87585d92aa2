// A program whose file is gone. On Windows the file of a running program cannot be deleted.

#include <gtest/gtest.h>

#include <algorithm>

#include "platform/api/running_programs.h"
#include "tests/support/native.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

TEST(RunningPrograms, AreOpenedAlsoWhenTheirFileIsGone) {
  const testing::TempFolder folder;
  const std::filesystem::path program = folder / "program";
  std::filesystem::copy_file(testing::Errand(), program);
  const testing::ChildProgram process(program, {"sleep", "60000"});
  const uintmax_t size = std::filesystem::file_size(program);
  std::filesystem::remove(program);
  const std::vector<RunningProgram> programs = ListRunningPrograms();
  const auto listed = std::ranges::find(programs, process.Pid(), &RunningProgram::pid);
  ASSERT_NE(listed, programs.end());
  EXPECT_EQ(listed->executable, program.string());
  EXPECT_TRUE(listed->deleted);
  const auto file = OpenProgramOf(*listed);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->Metadata().size, size);
  EXPECT_EQ(file->Metadata().inode, listed->inode);
}

}  // namespace
}  // namespace cordon::platform
