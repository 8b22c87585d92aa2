// platform/api/sandboxed_child.h on Windows' implementation. What wine does not enforce is skipped there.

#include "platform/api/sandboxed_child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"
#include "tests/wine/platform/wine.h"

namespace cordon::platform {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr auto kPatience = std::chrono::seconds(30);
bool KeepGoing() {
  return true;
}

class WindowsSandbox : public ::testing::Test {
 protected:
  void SetUp() override { Start(); }

  void Start() {
    auto child =
        StartSandboxedChild({.program = testing::BesideThisProgram("sandbox_probe.exe"), .arguments = {}});
    ASSERT_TRUE(child.ok()) << child.status();
    child_ = *std::move(child);
  }

  absl::StatusOr<std::string> Ask(std::string_view what, const OpenFile* file = nullptr) {
    if (const absl::Status sent = child_->Send(what, file); !sent.ok()) return sent;
    return child_->Receive(kPatience, KeepGoing);
  }

  absl::StatusOr<OpenFile> FileOf(const std::string& content) {
    const auto path = folder_ / StrCat(++files_);
    std::ofstream(path, std::ios::binary) << content;
    return OpenForReading(path);
  }

  testing::WindowsFolder folder_;
  int files_ = 0;
  std::unique_ptr<SandboxedChild> child_;
};

TEST_F(WindowsSandbox, AnswersAndSeesTheContentOfAFileThatIsHandedToIt) {
  EXPECT_EQ(*Ask("echo"), "echo");
  const std::string long_message = StrCat("echo", std::string(1'000'000, 'x'));
  EXPECT_EQ(*Ask(long_message), long_message);
  const std::string hostile("a\0b\r\n\x1a", 6);
  const auto file = FileOf(hostile);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(*Ask("content", &*file), hostile);
  EXPECT_EQ(*Ask("content"), "none");  // the one before is gone
  const auto empty = FileOf("");
  EXPECT_EQ(*Ask("content", &*empty), "");
  const auto whole = FileOf(std::string(5'000'000, 'x'));
  EXPECT_EQ(Ask("content", &*whole)->size(), 5'000'000U);
  const auto large = FileOf(std::string(5'000'001, 'x'));
  EXPECT_EQ(*Ask("content", &*large), "none");
}

TEST_F(WindowsSandbox, AUT6_HasNothingOfItsParents) {
  SetEnvironmentVariableW(L"CORDON_SECRET", L"of the parent");
  Start();
  EXPECT_THAT(*Ask("environment"), HasSubstr("SystemRoot="));
  EXPECT_THAT(*Ask("environment"), Not(HasSubstr("CORDON_SECRET")));
}

TEST_F(WindowsSandbox, AUT6_HasATokenWithoutPrivilegesAndNoOther) {
  EXPECT_EQ(*Ask("thread token"), "none");
  const Handle process(OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, child_->Pid()));
  HANDLE raw = nullptr;
  ASSERT_NE(OpenProcessToken(process.Get(), TOKEN_QUERY, &raw), 0) << LastError("cannot open its token");
  const Handle token(raw);
  TOKEN_PRIVILEGES privileges{};
  DWORD size = 0;
  ASSERT_NE(GetTokenInformation(token.Get(), TokenPrivileges, &privileges, sizeof(privileges), &size), 0)
      << LastError("it has some privilege");
  EXPECT_EQ(privileges.PrivilegeCount, 0U);
  if (!testing::UnderWine()) {  // which knows no restricting SIDs
    EXPECT_NE(IsTokenRestricted(token.Get()), 0);
  }
}

TEST_F(WindowsSandbox, AUT6_StartsNoProcess) {
  CORDON_SKIP_UNDER_WINE("limits on the processes of a job");
  EXPECT_THAT(*Ask("start"), StartsWith("error "));
}

TEST_F(WindowsSandbox, AUT6_OpensAndConnectsNothing) {
  CORDON_SKIP_UNDER_WINE("restricting SIDs and levels of integrity");
  EXPECT_THAT(*Ask("open"), StartsWith("error "));
  EXPECT_THAT(*Ask("socket"), StartsWith("error "));
}

TEST_F(WindowsSandbox, HasBoundedMemory) {
  CORDON_SKIP_UNDER_WINE("limits on the memory of a job");
  EXPECT_THAT(*Ask("memory"), StartsWith("no more after "));
}

TEST_F(WindowsSandbox, ACrashIsToldAndOneThatHangsIsNotWaitedFor) {
  EXPECT_THAT(std::string(Ask("crash").status().message()), HasSubstr("ended by exception 0xc0000005"));
  EXPECT_TRUE(absl::IsUnavailable(child_->Send("echo", nullptr)));
  Start();
  EXPECT_THAT(std::string(Ask("exit").status().message()), HasSubstr("ended with status 7"));
  Start();
  ASSERT_TRUE(child_->Send("hang", nullptr).ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(child_->Receive(std::chrono::milliseconds(300), KeepGoing).status()));
  Start();
  ASSERT_TRUE(child_->Send("hang", nullptr).ok());
  EXPECT_TRUE(absl::IsCancelled(child_->Receive(kPatience, [] { return false; }).status()));
}

TEST_F(WindowsSandbox, AnAnswerThatLiesThereIsTakenHoweverLateOneLooks) {
  static constexpr auto kTimeout = std::chrono::seconds(2);
  const auto held_back = [] {
    std::this_thread::sleep_for(kTimeout + std::chrono::milliseconds(100));
    return true;
  };
  ASSERT_EQ(*Ask("echo"), "echo");
  ASSERT_TRUE(child_->Send("echo", nullptr).ok());
  const auto answer = child_->Receive(kTimeout, held_back);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "echo");
}

TEST_F(WindowsSandbox, EndsWithItsOwner) {
  ASSERT_EQ(*Ask("echo"), "echo");
  const Handle process(OpenProcess(SYNCHRONIZE, FALSE, child_->Pid()));
  ASSERT_TRUE(process.Valid());
  EXPECT_EQ(WaitForSingleObject(process.Get(), 0), static_cast<DWORD>(WAIT_TIMEOUT));
  child_.reset();
  EXPECT_EQ(WaitForSingleObject(process.Get(), 5'000), WAIT_OBJECT_0);
}

TEST(WindowsSandboxStart, OneThatCannotBeStartedIsAnError) {
  EXPECT_FALSE(StartSandboxedChild({.program = "C:\\does\\not\\exist.exe", .arguments = {}}).ok());
  const auto odd = StartSandboxedChild({.program = {}, .arguments = {"two words"}});
  EXPECT_EQ(odd.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cordon::platform
