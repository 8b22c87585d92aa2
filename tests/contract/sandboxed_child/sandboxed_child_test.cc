#include "platform/api/sandboxed_child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "common/base/sanitizer.h"
#include "common/base/strings.h"
#include "tests/support/build_paths.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr auto kPatience = std::chrono::seconds(20);
bool KeepGoing() {
  return true;
}

class SandboxedChildTest : public ::testing::Test {
 protected:
  void SetUp() override { Start(); }

  void Start() {
    auto child = StartSandboxedChild(
        {.program = StrCat(testing::kBinaryDir, "/tests/sandbox_probe"), .arguments = {}});
    ASSERT_TRUE(child.ok()) << child.status();
    child_ = *std::move(child);
  }

  absl::StatusOr<std::string> Ask(std::string_view what, const OpenFile* file = nullptr) {
    if (const absl::Status sent = child_->Send(what, file); !sent.ok()) return sent;
    return child_->Receive(kPatience, KeepGoing);
  }

  absl::StatusOr<OpenFile> FileOf(const std::string& content) {
    const auto path = folder_ / std::to_string(++files_);
    std::ofstream(path) << content;
    return OpenForReading(path);
  }

  testing::TempFolder folder_;
  int files_ = 0;
  std::unique_ptr<SandboxedChild> child_;
};

TEST_F(SandboxedChildTest, AnswersAndSeesTheContentOfAFileThatIsHandedToIt) {
  EXPECT_EQ(*Ask("echo"), "echo");
  const auto file = FileOf("hostile");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(*Ask("content", &*file), "hostile");
  EXPECT_EQ(*Ask("content"), "none");  // the one before is gone
  const auto empty = FileOf("");
  EXPECT_EQ(*Ask("content", &*empty), "");
  const auto large = FileOf(std::string(1001, 'x'));
  EXPECT_EQ(*Ask("content", &*large), "none");
  for (int i = 0; i < 50; ++i) ASSERT_EQ(*Ask("content", &*empty), "") << i;  // no descriptor stays open
}

TEST_F(SandboxedChildTest, AUT6_CanOpenConnectStartAndSignalNothing) {
#if defined(CORDON_ADDRESS_SANITIZER) || defined(CORDON_THREAD_SANITIZER)
  GTEST_SKIP() << "system calls are not shut in a build with sanitizers";
#endif
  // Outside of the sandbox the same program can.
  EXPECT_EQ(std::system(StrCat(testing::kBinaryDir, "/tests/sandbox_probe outside").c_str()), 0);
  for (const char* what : {"open", "socket", "fork", "kill"}) {
    Start();
    ASSERT_EQ(*Ask("echo"), "echo");
    const auto answer = Ask(what);
    EXPECT_TRUE(absl::IsUnavailable(answer.status())) << what << ": " << answer.status();
    EXPECT_THAT(std::string(answer.status().message()),
                HasSubstr("ended by signal " + std::to_string(SIGSYS)))
        << what;
  }
}

TEST_F(SandboxedChildTest, HasNoUserOfItsParentAndBoundedMemory) {
#if defined(CORDON_ADDRESS_SANITIZER) || defined(CORDON_THREAD_SANITIZER)
  GTEST_SKIP() << "memory is not bounded in a build with sanitizers";
#endif
  ASSERT_EQ(*Ask("echo"), "echo");
  EXPECT_THAT(*Ask("memory"), StartsWith("no more after "));
  std::ifstream status("/proc/" + std::to_string(child_->Pid()) + "/status");
  const std::string text((std::istreambuf_iterator<char>(status)), std::istreambuf_iterator<char>());
  if (geteuid() == 0) {
    EXPECT_THAT(text, HasSubstr("\nUid:\t65534\t65534\t65534\t65534\n"));
    EXPECT_THAT(text, HasSubstr("\nGroups:\t \n"));
  }
  EXPECT_THAT(text, HasSubstr("\nCapEff:\t0000000000000000\n"));
  EXPECT_THAT(text, HasSubstr("\nNoNewPrivs:\t1\n"));
}

TEST_F(SandboxedChildTest, ACrashIsToldAndOneThatHangsIsNotWaitedFor) {
  EXPECT_THAT(std::string(Ask("crash").status().message()),
              HasSubstr("ended by signal " + std::to_string(SIGABRT)));
  EXPECT_TRUE(absl::IsUnavailable(child_->Send("echo", nullptr)));
  Start();
  ASSERT_TRUE(child_->Send("hang", nullptr).ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(child_->Receive(std::chrono::milliseconds(300), KeepGoing).status()));
  Start();
  ASSERT_TRUE(child_->Send("hang", nullptr).ok());
  EXPECT_TRUE(absl::IsCancelled(child_->Receive(kPatience, [] { return false; }).status()));
}

TEST_F(SandboxedChildTest, AnAnswerThatLiesThereIsTakenHoweverLateOneLooks) {
  static constexpr auto kTimeout = std::chrono::milliseconds(500);
  const auto held_back = [] {
    std::this_thread::sleep_for(kTimeout + std::chrono::milliseconds(100));
    return true;
  };
  ASSERT_TRUE(child_->Send("echo", nullptr).ok());
  const auto answer = child_->Receive(kTimeout, held_back);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "echo");
  ASSERT_TRUE(child_->Send("hang", nullptr).ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(child_->Receive(kTimeout, held_back).status()));
}

TEST_F(SandboxedChildTest, EndsWithItsOwner) {
  ASSERT_EQ(*Ask("echo"), "echo");
  const auto pid = static_cast<pid_t>(child_->Pid());
  EXPECT_EQ(kill(pid, 0), 0);
  child_.reset();
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST(SandboxedChild, OneThatCannotBeStartedIsAnError) {
  EXPECT_FALSE(StartSandboxedChild({.program = "/does/not/exist", .arguments = {}}).ok());
}

}  // namespace
}  // namespace cordon::platform
