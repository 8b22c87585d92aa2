// Isolation with rules for programs: when their marks come and go, and what the receipt says of them.

#include <gtest/gtest.h>

#include <algorithm>

#include "agent/isolation/isolation.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_connections.h"
#include "tests/fakes/fake_packet_filter.h"
#include "tests/fakes/fake_probes.h"
#include "tests/fakes/fake_program_marks.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/actions.h"
#include "tests/support/policies.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {
namespace {

using agent::Isolation;
using platform::ProgramIdentity;

class IsolationOfPrograms : public ::testing::Test {
 protected:
  IsolationOfPrograms() {
    marks_.Install("/opt/pms");
    marks_.Install("/opt/phone");
    StartAgent(&marks_);
  }

  void StartAgent(platform::ProgramMarks* marks) {
    isolation_ = std::make_unique<Isolation>(
        agent::IsolationParts{.filter = &filter_,
                              .connections = &connections_,
                              .clock = &clock_,
                              .events = &events_,
                              .escape = &escape_,
                              .channel = &channel_,
                              .marks = marks},
        agent::IsolationOptions{.state_file = folder_ / "isolation.state", .boot_id = "boot-1"});
    isolation_->OnReceipt([this](const v1::Receipt& receipt) { receipts_.push_back(receipt); });
  }

  static v1::IsolateAction For(const std::string& path, const std::string& sha256 = {},
                               v1::Level level = v1::LEVEL_ESSENTIAL) {
    auto action = WithRule(Isolate(level), v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_TCP, {"10.2.0.2"}, 443);
    action.mutable_profile()->mutable_allow(0)->mutable_program()->set_path(path);
    action.mutable_profile()->mutable_allow(0)->mutable_program()->set_sha256(sha256);
    return action;
  }
  static uint32_t Tag(const std::string& path) { return platform::ProgramTag(path, ""); }

  TempFolder folder_;
  FakeClock clock_;
  FakePacketFilter filter_;
  FakeProgramMarks marks_;
  FakeConnections connections_;
  FakeChannelProbe channel_;
  FakeEscapeProbe escape_;
  RecordingSink events_;
  std::vector<v1::Receipt> receipts_;
  std::unique_ptr<Isolation> isolation_;
};

TEST_F(IsolationOfPrograms, MarksComeWithTheOrderAndGoWithTheRelease) {
  const auto receipt = isolation_->Set(For("/opt/pms"), "order-1", 1);
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->containment(), v1::CONTAINMENT_CONTAINED);
  EXPECT_TRUE(receipt->reasons().empty());
  EXPECT_EQ(marks_.MarkOf("/opt/pms"), Tag("/opt/pms"));
  ASSERT_TRUE(isolation_->Release("order-2", 2).ok());
  EXPECT_EQ(marks_.MarkOf("/opt/pms"), 0U);
}

// ISO-1: while the rules change, both programs carry their marks.
TEST_F(IsolationOfPrograms, ISO1_NoProgramIsWithoutItsMarkWhileARuleAsksForIt) {
  ASSERT_TRUE(isolation_->Set(For("/opt/pms"), "order-1", 1).ok());
  const size_t before = marks_.History().size();
  ASSERT_TRUE(isolation_->Set(For("/opt/phone"), "order-2", 2).ok());
  const std::vector<ProgramIdentity> both = {{.path = "/opt/pms", .sha256 = {}},
                                             {.path = "/opt/phone", .sha256 = {}}};
  ASSERT_GE(marks_.History().size(), before + 2);
  EXPECT_EQ(marks_.History().at(before), both);
  EXPECT_EQ(marks_.History().back(), std::vector<ProgramIdentity>{both[1]});
}

TEST_F(IsolationOfPrograms, ISO2_OnlyTheProgramsOwnConnectionsAreLeft) {
  platform::Connection own{.local = At("10.0.0.1", 5000), .remote = At("10.2.0.2", 443)};
  own.program_tag = Tag("/opt/pms");
  platform::Connection foreign = own;
  foreign.local.port = 5001;
  foreign.program_tag = 0;
  connections_.Open(own);
  connections_.Open(foreign);
  ASSERT_TRUE(isolation_->Set(For("/opt/pms"), "order-1", 1).ok());
  ASSERT_EQ(connections_.StillOpen().size(), 1U);
  EXPECT_EQ(connections_.StillOpen()[0].local.port, 5000);
}

TEST_F(IsolationOfPrograms, AnOrderThatTheSystemCannotKeepIsRefusedAndNothingChanges) {
  marks_.FailApply(absl::UnimplementedError("no cgroup version 2 hierarchy is mounted"));
  const auto refused = isolation_->Set(For("/opt/pms"), "order-1", 1);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(refused.status().ToString().find("cgroup"), std::string::npos);
  EXPECT_EQ(filter_.Applications(), 0);
  EXPECT_EQ(isolation_->Lane().sequence(), 0U);
  StartAgent(nullptr);
  EXPECT_EQ(isolation_->Set(For("/opt/pms"), "order-1", 1).status().code(), absl::StatusCode::kUnimplemented);
}

TEST_F(IsolationOfPrograms, WhenTheKernelRefusesTheRulesTheMarksAreAsBefore) {
  ASSERT_TRUE(isolation_->Set(For("/opt/pms"), "order-1", 1).ok());
  filter_.FailApply(absl::InternalError("the kernel says no"));
  EXPECT_FALSE(isolation_->Set(For("/opt/phone"), "order-2", 2).ok());
  EXPECT_NE(marks_.MarkOf("/opt/pms"), 0U);
  EXPECT_EQ(marks_.MarkOf("/opt/phone"), 0U);
}

TEST_F(IsolationOfPrograms, AProgramWithAnotherHashIsShutOutAndTheReceiptSaysSo) {
  const auto receipt = isolation_->Set(For("/opt/pms", std::string(32, 'x')), "order-1", 1);
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->containment(), v1::CONTAINMENT_CONTAINED);
  ASSERT_EQ(receipt->reasons_size(), 1);
  EXPECT_NE(receipt->reasons(0).find("/opt/pms"), std::string::npos);
  EXPECT_EQ(marks_.MarkOf("/opt/pms"), 0U);
}

TEST_F(IsolationOfPrograms, AnUpgradedProgramIsBoundAgainByTheNextTick) {
  ASSERT_TRUE(isolation_->Set(For("/opt/pms"), "order-1", 1).ok());
  marks_.Install("/opt/pms");
  EXPECT_EQ(marks_.MarkOf("/opt/pms"), 0U);
  isolation_->Tick();
  EXPECT_NE(marks_.MarkOf("/opt/pms"), 0U);
  const size_t told = receipts_.size();
  isolation_->Tick();
  EXPECT_EQ(receipts_.size(), told) << "nothing new to tell";
}

TEST_F(IsolationOfPrograms, AProgramThatGoesAndComesIsToldEachTime) {
  ASSERT_TRUE(isolation_->Set(For("/opt/pms"), "order-1", 1).ok());
  const size_t told = receipts_.size();
  marks_.Remove("/opt/pms");
  isolation_->Tick();
  ASSERT_EQ(receipts_.size(), told + 1);
  EXPECT_EQ(receipts_.back().reasons_size(), 1);
  marks_.Install("/opt/pms");
  isolation_->Tick();
  ASSERT_EQ(receipts_.size(), told + 2);
  EXPECT_EQ(receipts_.back().reasons_size(), 0);
}

// ISO-7, ISO-6: what somebody did to the marks takes the word contained away, and is put right and told.
TEST_F(IsolationOfPrograms, ISO7_TamperedMarksAreNotContainedAndAreRepaired) {
  ASSERT_TRUE(isolation_->Set(For("/opt/pms"), "order-1", 1).ok());
  for (const bool lose : {true, false}) {
    if (lose) {
      marks_.Lose();
    } else {
      marks_.Tamper("a foreign program carries the mark");
    }
    EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_PARTIAL);
    isolation_->Tick();
    EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_CONTAINED);
    EXPECT_EQ(events_.Events().back().event.isolation_changed().cause().find("drift repaired"), 0U);
  }
}

TEST_F(IsolationOfPrograms, ISO5_ARestartedAgentMarksAgainAndTakesStrayMarksAway) {
  ASSERT_TRUE(isolation_->Set(For("/opt/pms"), "order-1", 1).ok());
  marks_.Lose();  // a reboot
  StartAgent(&marks_);
  ASSERT_TRUE(isolation_->Restore().ok());
  EXPECT_NE(marks_.MarkOf("/opt/pms"), 0U);
  ASSERT_TRUE(isolation_->Release("order-2", 2).ok());
  ASSERT_TRUE(marks_.Apply({{.path = "/opt/phone", .sha256 = {}}}).ok());  // an agent that died here
  StartAgent(&marks_);
  ASSERT_TRUE(isolation_->Restore().ok());
  EXPECT_EQ(marks_.MarkOf("/opt/phone"), 0U);
}

// The rules come back even where the marks cannot: the program is shut out, the host is not open.
TEST_F(IsolationOfPrograms, ISO5_RulesAreRestoredWithoutTheirMarks) {
  ASSERT_TRUE(isolation_->Set(For("/opt/pms"), "order-1", 1).ok());
  filter_.Lose();
  marks_.FailApply(absl::UnimplementedError("another kernel"));
  marks_.Lose();
  StartAgent(&marks_);
  ASSERT_TRUE(isolation_->Restore().ok());
  ASSERT_TRUE(filter_.Held().has_value());
  EXPECT_EQ(filter_.Held()->level, platform::Level::kEssential);
  EXPECT_NE(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_CONTAINED);
}

}  // namespace
}  // namespace cordon::testing
