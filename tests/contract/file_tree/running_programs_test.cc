#include "platform/api/running_programs.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/subprocess.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

namespace fs = std::filesystem;

std::vector<RunningProgram> Of(pid_t pid) {
  std::vector<RunningProgram> programs = ListRunningPrograms();
  std::erase_if(programs,
                [&](const RunningProgram& program) { return program.pid != static_cast<uint32_t>(pid); });
  return programs;
}

TEST(RunningPrograms, AreListedAndOpenedAlsoWhenTheirFileIsGone) {
  const testing::TempFolder folder;
  const fs::path program = folder / "program";
  fs::copy_file("/bin/sleep", program);
  testing::Subprocess process({program.string(), "1000"});
  auto listed = Of(process.Pid());
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed.front().executable, program.string());
  EXPECT_FALSE(listed.front().deleted);
  const uintmax_t size = fs::file_size(program);
  fs::remove(program);
  listed = Of(process.Pid());
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed.front().executable, program.string());
  EXPECT_TRUE(listed.front().deleted);
  const auto file = OpenProgramOf(listed.front());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->Metadata().size, size);
  EXPECT_EQ(file->Metadata().inode, listed.front().inode);
  RunningProgram another = listed.front();
  ++another.start;
  EXPECT_TRUE(absl::IsNotFound(OpenProgramOf(another).status()));
  process.Kill();
  EXPECT_TRUE(absl::IsNotFound(OpenProgramOf(listed.front()).status()));
  EXPECT_TRUE(Of(process.Pid()).empty());
}

}  // namespace
}  // namespace cordon::platform
