#include "tests/support/subprocess.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace cordon::testing {
namespace {

using std::chrono::milliseconds;

TEST(Subprocess, CapturesOutputErrorsAndExitStatus) {
  const CommandResult result = RunCommand({"sh", "-c", "echo out; echo problem >&2; exit 3"});
  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "problem\n");
}

TEST(Subprocess, PassesEnvironmentAndWorkingFolder) {
  const CommandResult result =
      RunCommand({"sh", "-c", "echo $CORDON_TEST; pwd"},
                 {.env = {{"CORDON_TEST", "seen"}}, .working_dir = "/usr", .net_namespace = {}});
  EXPECT_EQ(result.output, "seen\n/usr\n");
}

TEST(Subprocess, StreamsWhileTheChildRuns) {
  Subprocess cat({"cat"});
  ASSERT_TRUE(cat.Write("one line\n"));
  EXPECT_TRUE(cat.WaitForOutput("one line"));
  EXPECT_TRUE(cat.Running());
  cat.CloseInput();
  EXPECT_EQ(cat.Wait(), 0);
}

TEST(Subprocess, WaitGivesUpAtItsDeadlineAndKillEndsTheChild) {
  Subprocess sleeper({"sleep", "600"});
  EXPECT_EQ(sleeper.Wait(milliseconds(20)), std::nullopt);
  sleeper.Kill();
  EXPECT_EQ(sleeper.Wait(), 128 + 9);
}

TEST(Subprocess, DoesNotHangOnAGrandchildThatHoldsThePipes) {
  Subprocess parent({"sh", "-c", "sleep 5 & echo gone"});
  EXPECT_EQ(parent.Wait(), 0);
  EXPECT_EQ(parent.Output(), "gone\n");
}

TEST(Subprocess, NamesAProgramThatCannotBeStarted) {
  EXPECT_THROW(RunCommand({"/nowhere/program"}), std::runtime_error);
  EXPECT_THROW(MustRun({"false"}), std::runtime_error);
}

}  // namespace
}  // namespace cordon::testing
