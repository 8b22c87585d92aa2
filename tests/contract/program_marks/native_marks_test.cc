// What a socket's mark says on the kernel: who opened it, and what is handed on.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <fstream>

#include "platform/linux/system/fd.h"
#include "tests/support/caller.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {
namespace {

using platform::ProgramIdentity;

class NativeMarks : public ::testing::Test {
 protected:
  NativeMarks()
      : pms_(InstallCaller(folder_ / "pms")),
        other_(InstallCaller(folder_ / "other")),
        programs_({{.path = pms_, .sha256 = {}}}),
        mark_(ProgramTag(programs_[0])) {
    ConnectByVeth({host_, "up0", {"10.9.0.1/24", "fd09::1/64"}}, {peer_, "eth0", {"10.9.0.2/24"}});
  }

  void Apply() {
    const absl::Status applied = marks_->Apply(programs_);
    ASSERT_TRUE(applied.ok()) << applied;
  }

  TempFolder folder_;
  NetNamespace host_{"nm"};
  NetNamespace peer_{"np"};
  MarksOf marks_{host_};
  std::string pms_;
  std::string other_;
  std::vector<ProgramIdentity> programs_;
  uint32_t mark_;
};

TEST_F(NativeMarks, AreOnEveryKindOfSocketFromItsCreation) {
  for (const char* kind : {"tcp4", "tcp6", "udp4", "udp6", "icmp4"}) {
    EXPECT_EQ(MarkAfter(host_, pms_, kind), 0U) << "the negative control";
  }
  Apply();
  for (const char* kind : {"tcp4", "tcp6", "udp4", "udp6", "icmp4"}) {
    EXPECT_EQ(MarkAfter(host_, pms_, kind), mark_) << kind;
    EXPECT_EQ(MarkAfter(host_, other_, kind), 0U) << kind;
  }
}

TEST_F(NativeMarks, AChildIsTheSameProgramUntilItExecutesAnother) {
  Apply();
  EXPECT_EQ(MarkAfter(host_, pms_, "fork tcp4"), mark_);
  EXPECT_EQ(MarkAfter(host_, pms_, "fork exec " + other_ + " tcp4"), 0U);
  EXPECT_EQ(MarkAfter(host_, other_, "fork exec " + pms_ + " tcp4"), mark_);
}

TEST_F(NativeMarks, ASocketThatIsHandedOnKeepsItsMarkUntilItIsConnectedAnew) {
  Apply();
  const std::string connect = " connect 10.9.0.1 9";
  for (const char* way : {"exec ", "fork exec ", "pass "}) {
    SCOPED_TRACE(way);
    EXPECT_EQ(MarkAfter(host_, pms_, "udp4" + connect + " " + way + other_), mark_) << "handed on connected";
    EXPECT_EQ(MarkAfter(host_, pms_, std::string("udp4 ") + way + other_ + connect), 0U)
        << "connected by another";
    EXPECT_EQ(MarkAfter(host_, other_, std::string("udp4 ") + way + pms_ + connect), mark_)
        << "connected by the program";
    EXPECT_EQ(MarkAfter(host_, other_, "udp4" + connect + " " + way + pms_), 0U)
        << "the program got a connection of another";
  }
  EXPECT_EQ(MarkAfter(host_, pms_, "udp6 pass " + other_ + " connect fd09::1 9"), 0U);
}

TEST_F(NativeMarks, ACopyIsAnotherProgramAndAnotherNameIsNot) {
  Apply();
  const std::string copy = InstallCaller(folder_ / "copy");
  EXPECT_EQ(MarkAfter(host_, copy, "tcp4"), 0U);
  std::filesystem::create_symlink(pms_, folder_ / "symbolic");
  EXPECT_EQ(MarkAfter(host_, (folder_ / "symbolic").string(), "tcp4"), mark_);
  std::filesystem::create_hard_link(pms_, folder_ / "hard");
  EXPECT_EQ(MarkAfter(host_, pms_, "tcp4"), 0U) << "a new link changes the file";
  Apply();
  EXPECT_EQ(MarkAfter(host_, (folder_ / "hard").string(), "tcp4"), mark_);
  EXPECT_EQ(MarkAfter(host_, pms_, "tcp4"), mark_);
}

TEST_F(NativeMarks, AFileThatIsWrittenInPlaceLosesItsMarkAtOnce) {
  Apply();
  ASSERT_EQ(MarkAfter(host_, pms_, "tcp4"), mark_) << "the positive control";
  std::ofstream(pms_, std::ios::app) << "x";
  EXPECT_EQ(MarkAfter(host_, pms_, "tcp4"), 0U);
}

TEST_F(NativeMarks, SocketsThatTheProgramHeldBeforeAreMarkedWithoutANewOpening) {
  Subprocess held(Call(pms_, "tcp4 ready mark"),
                  {.env = {}, .working_dir = {}, .net_namespace = host_.Name()});
  Subprocess of_other(Call(other_, "tcp4 ready mark"),
                      {.env = {}, .working_dir = {}, .net_namespace = host_.Name()});
  Subprocess elsewhere(Call(pms_, "tcp4 ready mark"),
                       {.env = {}, .working_dir = {}, .net_namespace = peer_.Name()});
  for (Subprocess* each : {&held, &of_other, &elsewhere}) ASSERT_TRUE(each->WaitForOutput("ready"));
  Apply();
  for (Subprocess* each : {&held, &of_other, &elsewhere}) {
    each->Write("\n");
    EXPECT_EQ(each->Wait(), 0);
  }
  EXPECT_EQ(held.Output(), "ready\nmark " + std::to_string(mark_) + "\n");
  EXPECT_EQ(of_other.Output(), "ready\nmark 0\n");
  EXPECT_EQ(elsewhere.Output(), "ready\nmark 0\n") << "another network namespace is not its business";
}

TEST_F(NativeMarks, AgentsInTwoNamespacesDoNotDisturbEachOther) {
  Apply();
  MarksOf neighbour(peer_);
  ASSERT_TRUE(neighbour->Apply({{.path = other_, .sha256 = {}}}).ok());
  EXPECT_EQ(MarkAfter(host_, pms_, "tcp4"), mark_);
  EXPECT_EQ(MarkAfter(host_, other_, "tcp4"), 0U);
  EXPECT_EQ(MarkAfter(peer_, pms_, "tcp4"), 0U);
  EXPECT_NE(MarkAfter(peer_, other_, "tcp4"), 0U);
  EXPECT_TRUE(marks_->ReadBack(programs_)->matches);
  ASSERT_TRUE(neighbour->Apply({}).ok());
  EXPECT_EQ(MarkAfter(peer_, other_, "tcp4"), 0U);
  EXPECT_EQ(MarkAfter(host_, pms_, "tcp4"), mark_);
}

// ISO-5: nothing of the process that applied them is needed, and the next one takes over what it finds.
TEST_F(NativeMarks, ISO5_OutliveWhoAppliedThemAndAreFoundAgain) {
  {
    const InNetNamespace inside(host_);
    ASSERT_TRUE(platform::MakeProgramMarks()->Apply(programs_).ok());  // and is gone
  }
  EXPECT_EQ(MarkAfter(host_, pms_, "tcp4"), mark_);
  EXPECT_TRUE(marks_->ReadBack(programs_)->matches);
  Apply();
  EXPECT_TRUE(marks_->ReadBack(programs_)->matches) << "not doubled";
  ASSERT_TRUE(marks_->Apply({}).ok());
  EXPECT_EQ(MarkAfter(host_, pms_, "tcp4"), 0U);
  EXPECT_TRUE(marks_->ReadBack({})->matches);
}

TEST_F(NativeMarks, LeaveTheMarksOfOthersAlone) {
  Apply();
  // The caller cannot set one, but a socket of this test can be handed to it.
  const InNetNamespace inside(host_);
  const platform::Fd own(socket(AF_INET, SOCK_DGRAM, 0));
  const uint32_t foreign = 0x80000;
  ASSERT_EQ(setsockopt(own.Get(), SOL_SOCKET, SO_MARK, &foreign, sizeof(foreign)), 0);
  const std::string number = std::to_string(own.Get());
  EXPECT_EQ(MarkAfter(host_, pms_, "fd " + number + " connect 10.9.0.1 9"), foreign);
}

// Two names for one file cannot both have their mark.
TEST_F(NativeMarks, NameTheSameFileUnderTwoPaths) {
  std::filesystem::create_symlink(pms_, folder_ / "alias");
  programs_.push_back({.path = (folder_ / "alias").string(), .sha256 = {}});
  Apply();
  EXPECT_EQ(MarkAfter(host_, pms_, "tcp4"), mark_);
  const auto unbound = marks_->ReadBack(programs_)->unbound;
  ASSERT_EQ(unbound.size(), 1U);
  EXPECT_NE(unbound[0].find("alias"), std::string::npos);
}

}  // namespace
}  // namespace cordon::testing
