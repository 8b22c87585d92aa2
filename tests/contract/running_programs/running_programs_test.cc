// The contract of platform/api/running_programs.h on the native implementation.

#include "platform/api/running_programs.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/native.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

namespace fs = std::filesystem;

std::vector<RunningProgram> Of(uint32_t pid) {
  std::vector<RunningProgram> programs = ListRunningPrograms();
  std::erase_if(programs, [&](const RunningProgram& program) { return program.pid != pid; });
  return programs;
}

TEST(RunningPrograms, AreListedOnceAndOpenedUntilTheyEnd) {
  const testing::TempFolder folder;
  const fs::path program = folder / testing::Errand().filename().string();
  fs::copy_file(testing::Errand(), program);
  testing::ChildProgram process(program, {"sleep", "60000"});
  const std::vector<RunningProgram> listed = Of(process.Pid());
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(fs::path(listed.front().executable), program);
  EXPECT_FALSE(listed.front().deleted);
  EXPECT_NE(listed.front().inode, 0U);
  {
    const auto file = OpenProgramOf(listed.front());
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->Metadata().size, fs::file_size(program));
    EXPECT_EQ(file->Metadata().inode, listed.front().inode);
    EXPECT_EQ(file->Metadata().device, listed.front().device);
  }
  RunningProgram another = listed.front();
  ++another.start;
  EXPECT_TRUE(absl::IsNotFound(OpenProgramOf(another).status())) << "the pid alone is no name";
  process.Kill();
  EXPECT_TRUE(absl::IsNotFound(OpenProgramOf(listed.front()).status()));
  EXPECT_TRUE(Of(process.Pid()).empty());
}

}  // namespace
}  // namespace cordon::platform
