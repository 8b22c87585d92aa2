#include "agent/isolation/isolation.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_connections.h"
#include "tests/fakes/fake_names.h"
#include "tests/fakes/fake_packet_filter.h"
#include "tests/fakes/fake_probes.h"
#include "tests/fakes/fake_process_directory.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/actions.h"
#include "tests/support/policies.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {
namespace {

using agent::Isolation;
using platform::Level;

class IsolationTest : public ::testing::Test {
 protected:
  IsolationTest() { StartAgent(); }

  // A new process of the agent on the same host.
  void StartAgent(const std::string& boot_id = "boot-1") {
    isolation_ =
        std::make_unique<Isolation>(agent::IsolationParts{.filter = &filter_,
                                                          .connections = &connections_,
                                                          .clock = &clock_,
                                                          .events = &events_,
                                                          .escape = &escape_,
                                                          .channel = &channel_,
                                                          .names = &names_,
                                                          .inbound = &inbound_},
                                    agent::IsolationOptions{.state_file = StateFile(), .boot_id = boot_id});
    isolation_->OnReceipt([this](const v1::Receipt& receipt) { receipts_.push_back(receipt); });
  }

  std::filesystem::path StateFile() const { return folder_ / "isolation.state"; }
  Level Enforced() const { return filter_.Held().has_value() ? filter_.Held()->level : Level::kObserve; }
  void Damage() { std::ofstream(StateFile()) << "cordon-isolation-state-v1\nnonsense"; }

  TempFolder folder_;
  FakeClock clock_;
  FakePacketFilter filter_;
  FakeConnections connections_;
  FakeChannelProbe channel_;
  FakeEscapeProbe escape_;
  FakeNames names_;
  FakeInboundProbe inbound_;
  RecordingSink events_;
  std::vector<v1::Receipt> receipts_;
  std::unique_ptr<Isolation> isolation_;
};

TEST_F(IsolationTest, SetsTheLevelAndTellsWhatIsEnforced) {
  const auto receipt = isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1);
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(Enforced(), Level::kEssential);
  EXPECT_EQ(receipt->containment(), v1::CONTAINMENT_CONTAINED);
  EXPECT_EQ(receipt->order_id(), "order-1");
  ASSERT_EQ(receipts_.size(), 1U);
  ASSERT_EQ(events_.Events().size(), 1U);
  EXPECT_EQ(events_.Events()[0].event.isolation_changed().cause(), "order");
  EXPECT_EQ(events_.Events()[0].event_class, v1::EVENT_CLASS_CONTROL);
}

TEST_F(IsolationTest, ReleaseTakesEverythingOut) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-1", 1).ok());
  const auto receipt = isolation_->Release("order-2", 2);
  ASSERT_TRUE(receipt.ok());
  EXPECT_EQ(receipt->containment(), v1::CONTAINMENT_OPEN);
  EXPECT_FALSE(filter_.Held().has_value());
}

TEST_F(IsolationTest, ISO2_ResetsTheConnectionsThatTheLevelForbidsAndNoOther) {
  platform::Connection forbidden{.local = At("10.0.0.1", 5000), .remote = At("10.0.0.2", 445)};
  platform::Connection allowed{.local = At("10.0.0.1", 5001), .remote = At("10.2.0.2", 443)};
  platform::Connection own{
      .local = At("10.0.0.1", 5002), .remote = At("192.0.2.7", 7443), .agent_owned = true};
  for (const auto& connection : {forbidden, allowed, own}) connections_.Open(connection);
  isolation_->SetControllers({At("192.0.2.7", 7443)});
  const auto action = WithRule(Isolate(v1::LEVEL_ESSENTIAL), v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_TCP,
                               {"10.2.0.0/16"}, 443);
  ASSERT_TRUE(isolation_->Set(action, "order-1", 1).ok());
  ASSERT_EQ(connections_.StillOpen().size(), 2U);
  EXPECT_EQ(connections_.StillOpen()[0].remote, allowed.remote);
  EXPECT_EQ(connections_.StillOpen()[1].remote, own.remote);
}

TEST_F(IsolationTest, ISO9_AnOrderThatIsNotNewerHasNoEffect) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-2", 2).ok());
  EXPECT_EQ(isolation_->Release("order-1", 1).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(isolation_->Release("another", 2).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Enforced(), Level::kDark);
  StartAgent();
  ASSERT_TRUE(isolation_->Restore().ok());
  EXPECT_EQ(isolation_->Release("order-1", 1).status().code(), absl::StatusCode::kFailedPrecondition)
      << "also after a restart";
  EXPECT_EQ(isolation_->Lane().sequence(), 2U);
}

TEST_F(IsolationTest, TheSameOrderAgainChangesNothing) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-1", 1).ok());
  const int applications = filter_.Applications();
  const auto again = isolation_->Set(Isolate(v1::LEVEL_DARK), "order-1", 1);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->containment(), v1::CONTAINMENT_CONTAINED);
  EXPECT_EQ(filter_.Applications(), applications);
}

TEST_F(IsolationTest, ISO9_StateIsOnDiskBeforeTheKernelIsAsked) {
  std::filesystem::remove_all(folder_.Path());  // nothing can be written any more
  EXPECT_FALSE(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-1", 1).ok());
  EXPECT_EQ(filter_.Applications(), 0);
  EXPECT_EQ(isolation_->Lane().sequence(), 0U);
}

TEST_F(IsolationTest, WhenTheKernelRefusesNothingHasChanged) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_NO_LATERAL), "order-1", 1).ok());
  filter_.FailApply(absl::InternalError("the kernel says no"));
  EXPECT_FALSE(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-2", 2).ok());
  filter_.FailApply(absl::OkStatus());
  EXPECT_EQ(isolation_->Lane().order_id(), "order-1");
  StartAgent();
  ASSERT_TRUE(isolation_->Restore().ok());
  EXPECT_EQ(Enforced(), Level::kNoLateral);
  EXPECT_TRUE(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-2", 2).ok()) << "the order can be given again";
}

TEST_F(IsolationTest, ISO5_RestoreAppliesWhatTheStateSays) {
  isolation_->SetControllers({At("192.0.2.7", 7443)});
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_CONTROLLER_ONLY), "order-1", 1).ok());
  filter_.Lose();  // a reboot
  StartAgent("boot-2");
  ASSERT_TRUE(isolation_->Restore().ok());
  EXPECT_EQ(Enforced(), Level::kControllerOnly);
  EXPECT_EQ(filter_.Held()->controllers, (std::vector<Endpoint>{At("192.0.2.7", 7443)}));
}

TEST_F(IsolationTest, ISO5_ADamagedStateIsSetAsideAndTheKernelKeepsWhatItHas) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  Damage();
  StartAgent();
  EXPECT_EQ(isolation_->Restore().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Enforced(), Level::kEssential);
  EXPECT_EQ(receipts_.back().containment(), v1::CONTAINMENT_UNCERTAIN);
  EXPECT_FALSE(isolation_->Prove().ok());
  isolation_->OnLinksChanged();
  EXPECT_EQ(Enforced(), Level::kEssential) << "nothing opens it but an order";
  StartAgent();
  EXPECT_FALSE(isolation_->Restore().ok());
  EXPECT_EQ(Enforced(), Level::kEssential) << "not by a restart either";
  EXPECT_FALSE(isolation_->Release("old", 2).ok()) << "ISO-9: which order was the last one is lost";
  ASSERT_TRUE(isolation_->Release("order-2", static_cast<uint64_t>(clock_.WallNanos() / 1'000) + 1).ok());
  EXPECT_EQ(Enforced(), Level::kObserve);
  EXPECT_TRUE(isolation_->Prove().ok());
}

TEST_F(IsolationTest, RulesWithoutAStateFileAreKeptAndReported) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  std::filesystem::remove(StateFile());
  StartAgent();
  EXPECT_FALSE(isolation_->Restore().ok());
  EXPECT_EQ(Enforced(), Level::kEssential);
}

TEST_F(IsolationTest, AFreshHostRestoresToNothing) {
  EXPECT_TRUE(isolation_->Restore().ok());
  EXPECT_EQ(filter_.Applications(), 0);
  EXPECT_TRUE(events_.Events().empty());
  EXPECT_TRUE(std::filesystem::exists(StateFile())) << "room for the first order";
  StartAgent();
  EXPECT_TRUE(isolation_->Restore().ok()) << "with the file that the first start has made";
  EXPECT_EQ(filter_.Applications(), 0);
}

TEST_F(IsolationTest, ISO8_TheLeaseEndsOnItsOwnWhateverTheWallClockSays) {
  ASSERT_TRUE(
      isolation_->Set(WithLease(Isolate(v1::LEVEL_DARK), 3600, v1::LEVEL_NO_LATERAL), "order-1", 1).ok());
  clock_.SetWall(0);
  clock_.Advance(3599 * kNanosPerSecond);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kDark);
  clock_.Advance(2 * kNanosPerSecond);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kNoLateral);
  EXPECT_EQ(events_.Events().back().event.isolation_changed().cause(), "lease ended");
  EXPECT_EQ(isolation_->Lane().sequence(), 1U);
}

TEST_F(IsolationTest, ISO8_ALeaseGoesOnAfterRestartAndReboot) {
  ASSERT_TRUE(isolation_->Set(WithLease(Isolate(v1::LEVEL_DARK), 3600), "order-1", 1).ok());
  clock_.Advance(1800 * kNanosPerSecond);
  isolation_->Tick();
  clock_.Reboot();
  StartAgent("boot-2");
  ASSERT_TRUE(isolation_->Restore().ok());
  clock_.Advance(1799 * kNanosPerSecond);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kDark);
  clock_.Advance(2 * kNanosPerSecond);
  isolation_->Tick();
  EXPECT_EQ(Enforced(), Level::kObserve);
}

// From here to the end of an outage of the controller.
TEST_F(IsolationTest, ISO4_StepsDownOneLevelAndClimbsBackWhenTheControllerIsReachedAgain) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL, v1::FALLBACK_STEP_DOWN), "order-1", 1).ok());
  ASSERT_TRUE(channel_.Asked());
  channel_.Answer(absl::DeadlineExceededError("no answer"));
  EXPECT_EQ(Enforced(), Level::kNoLateral);
  EXPECT_EQ(events_.Events().back().event.isolation_changed().cause(), "fallback: step down");
  const v1::Receipt receipt = isolation_->ReadReceipt();
  EXPECT_EQ(receipt.intended_level(), v1::LEVEL_ESSENTIAL);
  EXPECT_EQ(receipt.enforced_level(), v1::LEVEL_NO_LATERAL);
  EXPECT_EQ(receipt.containment(), v1::CONTAINMENT_PARTIAL);
  EXPECT_FALSE(receipt.reasons().empty());
  for (int minutes = 0; minutes < 600; ++minutes) {  // away for hours: never another level
    clock_.Advance(60 * kNanosPerSecond);
    isolation_->Tick();
    ASSERT_TRUE(channel_.Asked());
    channel_.Answer(absl::DeadlineExceededError("no answer"));
    ASSERT_EQ(Enforced(), Level::kNoLateral);
  }
  clock_.Advance(30 * kNanosPerSecond);
  isolation_->Tick();
  channel_.Answer(absl::OkStatus());
  EXPECT_EQ(Enforced(), Level::kEssential);
  EXPECT_EQ(events_.Events().back().event.isolation_changed().cause(), "fallback: back to the ordered level");
  EXPECT_EQ(receipts_.back().containment(), v1::CONTAINMENT_CONTAINED) << receipts_.back().ShortDebugString();
  ASSERT_TRUE(channel_.Asked()) << "ISO-4: proven there as well";
  channel_.Answer(absl::OkStatus());
  clock_.Advance(7200 * kNanosPerSecond);
  isolation_->Tick();
  EXPECT_FALSE(channel_.Asked());
  EXPECT_EQ(Enforced(), Level::kEssential);
}

// Where the ordered level itself shuts the way.
TEST_F(IsolationTest, ISO4_TriesTheOrderedLevelAgainAtGrowingDistances) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_CONTROLLER_ONLY, v1::FALLBACK_STEP_DOWN), "order-1", 1).ok());
  for (const int64_t minutes : {1, 2, 4, 8, 16, 32, 60, 60}) {
    channel_.Answer(absl::DeadlineExceededError("no answer"));
    ASSERT_EQ(Enforced(), Level::kEssential);
    clock_.Advance(minutes * 60 * kNanosPerSecond - 1);
    isolation_->Tick();
    ASSERT_FALSE(channel_.Asked()) << minutes;
    clock_.Advance(1);
    isolation_->Tick();
    ASSERT_TRUE(channel_.Asked()) << minutes;
    channel_.Answer(absl::OkStatus());  // reached, one level below
    ASSERT_EQ(Enforced(), Level::kControllerOnly);
  }
}

TEST_F(IsolationTest, ISO4_NoFallbackOpensTheHostWholly) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_NO_LATERAL, v1::FALLBACK_STEP_DOWN), "order-1", 1).ok());
  channel_.Answer(absl::DeadlineExceededError("no answer"));
  EXPECT_EQ(Enforced(), Level::kNoLateral);
  EXPECT_FALSE(channel_.Asked());
}

TEST_F(IsolationTest, ISO4_TheWayBackIsFoundAfterARestartToo) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL, v1::FALLBACK_STEP_DOWN), "order-1", 1).ok());
  channel_.Answer(absl::DeadlineExceededError("no answer"));
  StartAgent();
  ASSERT_TRUE(isolation_->Restore().ok());
  EXPECT_EQ(Enforced(), Level::kNoLateral);
  EXPECT_FALSE(channel_.Asked()) << "one level is all: there is nothing left to decide";
  isolation_->Tick();
  channel_.Answer(absl::OkStatus());
  EXPECT_EQ(Enforced(), Level::kEssential);
}

TEST_F(IsolationTest, ISO4_AReleaseEndsTheWayBack) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL, v1::FALLBACK_STEP_DOWN), "order-1", 1).ok());
  channel_.Answer(absl::DeadlineExceededError("no answer"));
  clock_.Advance(60 * kNanosPerSecond);
  isolation_->Tick();
  ASSERT_TRUE(channel_.Asked());
  ASSERT_TRUE(isolation_->Release("order-2", 2).ok());
  channel_.Answer(absl::OkStatus());
  EXPECT_EQ(Enforced(), Level::kObserve);
}

TEST_F(IsolationTest, ISO4_AStepDownThatTheKernelRefusesIsTriedAgain) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL, v1::FALLBACK_STEP_DOWN), "order-1", 1).ok());
  filter_.FailApply(absl::InternalError("the kernel says no"));
  channel_.Answer(absl::DeadlineExceededError("no answer"));
  EXPECT_EQ(Enforced(), Level::kEssential);
  filter_.FailApply(absl::OkStatus());
  isolation_->Tick();
  channel_.Answer(absl::DeadlineExceededError("no answer"));
  EXPECT_EQ(Enforced(), Level::kNoLateral);
  channel_.Answer(absl::OkStatus());
  isolation_->Tick();
  EXPECT_FALSE(channel_.Asked()) << "it is decided";
}

TEST_F(IsolationTest, ISO4_HoldStaysClosedWithoutAChannel) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL, v1::FALLBACK_HOLD), "order-1", 1).ok());
  channel_.Answer(absl::DeadlineExceededError("no answer"));
  EXPECT_EQ(Enforced(), Level::kEssential);
  EXPECT_FALSE(channel_.Asked());
}

TEST_F(IsolationTest, ISO4_AProofOfAnEarlierStateCountsForNothing) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL, v1::FALLBACK_STEP_DOWN), "order-1", 1).ok());
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_DARK, v1::FALLBACK_STEP_DOWN), "order-2", 2).ok());
  channel_.Answer(absl::DeadlineExceededError("no answer"));
  EXPECT_EQ(Enforced(), Level::kDark);
}

TEST_F(IsolationTest, ISO4_AFallbackThatWasNotDecidedIsDecidedAfterARestart) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL, v1::FALLBACK_STEP_DOWN), "order-1", 1).ok());
  StartAgent();
  ASSERT_TRUE(isolation_->Restore().ok());
  channel_.Answer(absl::DeadlineExceededError("no answer"));
  EXPECT_EQ(Enforced(), Level::kNoLateral);
}

TEST_F(IsolationTest, ISO3_CoversAnInterfaceThatAppears) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  filter_.Drop(5);
  filter_.AddUplink("late0");
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_PARTIAL);
  isolation_->OnLinksChanged();
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_CONTAINED);
  EXPECT_EQ(isolation_->ReadReceipt().dropped_packets(), 5U) << "the count goes on";
}

TEST_F(IsolationTest, ProveFindsAndRepairsDrift) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  ASSERT_TRUE(isolation_->Prove().ok());
  filter_.Tamper("a rule lets everything out");
  const absl::Status found = isolation_->Prove();
  EXPECT_FALSE(found.ok());
  EXPECT_NE(found.ToString().find("a rule lets everything out"), std::string::npos);
  EXPECT_TRUE(isolation_->Prove().ok());
}

TEST_F(IsolationTest, ISO7_ACanaryThatLeavesTakesTheWordContainedAway) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  escape_.Open();
  EXPECT_FALSE(isolation_->Prove().ok());
  EXPECT_EQ(receipts_.back().containment(), v1::CONTAINMENT_PARTIAL) << "the controller is told as well";
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_PARTIAL);
}

TEST_F(IsolationTest, TheCanaryIsNeverAPacketThatTheProfileAllows) {
  const auto action = WithRule(Isolate(v1::LEVEL_ESSENTIAL), v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_UDP,
                               {"192.0.2.0/24", "2001:db8::/32"});
  ASSERT_TRUE(isolation_->Set(action, "order-1", 1).ok());
  EXPECT_TRUE(isolation_->Prove().ok());
  ASSERT_FALSE(escape_.Tried().empty()) << "TCP is tried: the profile does not allow it";
  for (const agent::ProbePacket& packet : escape_.Tried()) {
    EXPECT_EQ(packet.kind, agent::ProbePacket::Kind::kTcpSyn) << FormatEndpoint(packet.target);
  }
}

TEST_F(IsolationTest, ISO7_AHostThatStopsWhatItsProfileAllowsIsContainedAndSaysSo) {
  auto action = WithRule(Isolate(v1::LEVEL_ESSENTIAL), v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_TCP,
                         {"10.2.0.7", "10.2.0.8"}, 443);
  action.mutable_profile()->mutable_allow(0)->set_comment("the practice system");
  ASSERT_TRUE(isolation_->Set(action, "order-1", 1).ok());
  EXPECT_TRUE(receipts_.back().reasons().empty()) << "the positive control";
  EXPECT_TRUE(isolation_->Prove().ok());
  ASSERT_EQ(receipts_.size(), 1U);

  escape_.Stop(At("10.2.0.8", 443));
  EXPECT_TRUE(isolation_->Prove().ok()) << "what was ordered is in force";
  ASSERT_EQ(receipts_.size(), 2U) << "the controller is told as well";
  EXPECT_TRUE(isolation_->Prove().ok());
  ASSERT_EQ(receipts_.size(), 2U) << "once";
  const v1::Receipt receipt = receipts_.back();
  EXPECT_EQ(receipt.containment(), v1::CONTAINMENT_CONTAINED);
  ASSERT_EQ(receipt.reasons_size(), 1);
  EXPECT_TRUE(receipt.reasons(0).starts_with("profile rule 1 (the practice system) allows 10.2.0.8:443"))
      << receipt.reasons(0);
  escape_.StopNothing();
  EXPECT_TRUE(isolation_->Prove().ok());
  ASSERT_EQ(receipts_.size(), 3U);
  EXPECT_TRUE(receipts_.back().reasons().empty());
}

TEST_F(IsolationTest, ISO7_AsksTheGuardAsAProgramDoesAndSaysWhenItIsSilent) {
  auto action =
      WithRule(Isolate(v1::LEVEL_ESSENTIAL), v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_TCP, {}, 443);
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  isolation_->Tick();
  EXPECT_FALSE(names_.GuardIsAsked()) << "there is none";
  action.mutable_profile()->mutable_allow(0)->add_names("pms.example.vet");
  ASSERT_TRUE(isolation_->Set(action, "order-2", 2).ok());
  isolation_->Tick();
  ASSERT_TRUE(names_.GuardIsAsked());
  names_.GuardSays(absl::OkStatus());
  EXPECT_TRUE(isolation_->ReadReceipt().reasons().empty());
  EXPECT_EQ(isolation_->ReadReceipt().probes(0).name(), "dns guard");
  const size_t told = receipts_.size();

  isolation_->Tick();
  EXPECT_FALSE(names_.GuardIsAsked()) << "with every proof, not with every tick";
  EXPECT_TRUE(isolation_->Prove().ok());
  ASSERT_TRUE(names_.GuardIsAsked());
  names_.GuardSays(absl::DeadlineExceededError("no answer"));
  ASSERT_EQ(receipts_.size(), told + 1);
  EXPECT_EQ(receipts_.back().containment(), v1::CONTAINMENT_CONTAINED);
  ASSERT_EQ(receipts_.back().reasons_size(), 1);
  EXPECT_NE(receipts_.back().reasons(0).find("the DNS guard does not answer"), std::string::npos);
  EXPECT_TRUE(isolation_->Prove().ok());
  names_.GuardSays(absl::DeadlineExceededError("no answer"));
  EXPECT_EQ(receipts_.size(), told + 1) << "told once";
}

TEST_F(IsolationTest, ISO6_NamesWhoChangedTheRulesAndPutsThemRight) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  FakeProcessDirectory processes;
  processes.Started(77, {.guid = "0123456789abcdef", .executable = "/usr/sbin/nft"});
  isolation_->Know(&processes);
  const size_t before = events_.Events().size();
  filter_.Tamper("a rule lets everything out");
  isolation_->OnRulesChanged(
      {{.pid = 77, .process_name = "nft", .boot_nanos = clock_.BootNanos(), .of_cordon = true}});
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_CONTAINED);
  ASSERT_EQ(events_.Events().size(), before + 2) << "the drift, and the receipt";
  const v1::RulesDrift drift = events_.Events()[before].event.rules_drift();
  EXPECT_EQ(drift.pid(), 77U);
  EXPECT_EQ(drift.process_guid(), "0123456789abcdef");
  EXPECT_EQ(drift.executable(), "/usr/sbin/nft");
  EXPECT_EQ(drift.differences(0), "a rule lets everything out");
  EXPECT_TRUE(drift.repaired());
  EXPECT_TRUE(drift.packets_unknown());
}

TEST_F(IsolationTest, ISO6_RulesOfOthersAreNoDrift) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  const size_t before = events_.Events().size();
  const int applications = filter_.Applications();
  isolation_->OnRulesChanged({{.pid = 77, .process_name = "dockerd", .boot_nanos = 1}});
  EXPECT_EQ(events_.Events().size(), before);
  EXPECT_EQ(filter_.Applications(), applications);
}

TEST_F(IsolationTest, ISO6_ALostNotificationIsReadBackAndNamesNobody) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  const size_t before = events_.Events().size();
  isolation_->OnRulesChanged({{.boot_nanos = 1, .missed = true}});
  EXPECT_EQ(events_.Events().size(), before) << "nothing differed: nothing to tell";
  filter_.Lose();
  isolation_->OnRulesChanged({{.boot_nanos = 1, .missed = true}});
  ASSERT_GT(events_.Events().size(), before);
  EXPECT_EQ(events_.Events()[before].event.rules_drift().pid(), 0U);
  EXPECT_EQ(Enforced(), Level::kEssential);
}

TEST_F(IsolationTest, ISO6_WhatCannotBePutRightIsTold) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  const size_t before = events_.Events().size();
  filter_.Tamper("a rule lets everything out");
  filter_.FailApply(absl::InternalError("the kernel says no"));
  isolation_->OnRulesChanged({{.pid = 5, .boot_nanos = 1, .of_cordon = true}});
  const v1::RulesDrift drift = events_.Events()[before].event.rules_drift();
  EXPECT_FALSE(drift.repaired());
  EXPECT_NE(drift.repair_error().find("the kernel says no"), std::string::npos);
  EXPECT_EQ(receipts_.back().containment(), v1::CONTAINMENT_PARTIAL);
}

TEST_F(IsolationTest, ISO7_AnInterfaceThatWasMovedAwayTakesTheWordContainedAway) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  isolation_->OnLinksChanged({"eth1"});
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_PARTIAL);
  isolation_->OnLinksChanged();
  EXPECT_EQ(isolation_->ReadReceipt().containment(), v1::CONTAINMENT_CONTAINED);
}

TEST_F(IsolationTest, ISO7_AnInboundPacketThatComesInTakesTheWordContainedAway) {
  isolation_->Tick();
  ASSERT_TRUE(inbound_.Asked()) << "the positive control, while nothing is enforced";
  inbound_.Answer(FakeInboundProbe::Outcome::kArrived);
  inbound_.Answer(FakeInboundProbe::Outcome::kArrived);
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  clock_.Advance(10 * kNanosPerSecond);
  isolation_->Tick();
  inbound_.Answer(FakeInboundProbe::Outcome::kDidNotArrive);
  inbound_.Answer(FakeInboundProbe::Outcome::kDidNotArrive);
  EXPECT_EQ(receipts_.back().containment(), v1::CONTAINMENT_CONTAINED);
  clock_.Advance(3601 * kNanosPerSecond);
  isolation_->Tick();
  inbound_.Answer(FakeInboundProbe::Outcome::kDidNotArrive);
  inbound_.Answer(FakeInboundProbe::Outcome::kArrived);
  EXPECT_EQ(receipts_.back().containment(), v1::CONTAINMENT_PARTIAL);
}

TEST_F(IsolationTest, AControllerThatIsDownIsAReasonAndNoHole) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  channel_.Answer(absl::DeadlineExceededError("no answer"));
  const v1::Receipt receipt = isolation_->ReadReceipt();
  EXPECT_EQ(receipt.containment(), v1::CONTAINMENT_CONTAINED);
  ASSERT_EQ(receipt.reasons_size(), 1);
  EXPECT_NE(receipt.reasons(0).find("no answer"), std::string::npos);
  EXPECT_TRUE(isolation_->Prove().ok());
  channel_.Answer(absl::OkStatus());
  EXPECT_TRUE(isolation_->ReadReceipt().reasons().empty());
}

TEST_F(IsolationTest, NewControllerAddressesAreOpenedAndKept) {
  isolation_->SetControllers({At("192.0.2.7", 7443)});
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  isolation_->SetControllers({At("192.0.2.8", 7443)});
  EXPECT_EQ(filter_.Held()->controllers, (std::vector<Endpoint>{At("192.0.2.8", 7443)}));
  StartAgent();
  ASSERT_TRUE(isolation_->Restore().ok());
  EXPECT_EQ(filter_.Held()->controllers, (std::vector<Endpoint>{At("192.0.2.8", 7443)}));
}

v1::IsolateAction ByName(v1::Level level = v1::LEVEL_ESSENTIAL) {
  v1::IsolateAction action = WithRule(Isolate(level), v1::DIRECTION_OUT, v1::TRANSPORT_PROTOCOL_TCP, {}, 443);
  action.mutable_profile()->mutable_allow(0)->add_names("pms.example.vet");
  return action;
}

TEST_F(IsolationTest, NamesAreOpenedInTheKernelBeforeTheyAreHandedOut) {
  ASSERT_TRUE(isolation_->Set(ByName(), "order-1", 1).ok());
  ASSERT_TRUE(filter_.Held()->dns.has_value());
  const int applications = filter_.Applications();
  EXPECT_TRUE(names_.Opens("192.0.2.1").ok());
  EXPECT_EQ(filter_.Applications(), applications) << "one small transaction";
  EXPECT_EQ(filter_.NameUpdates(), 1);
  EXPECT_EQ(filter_.Held()->name_sets.at(0).addresses.size(), 1U);
  filter_.FailUpdateNames(absl::InternalError("the kernel says no"));
  EXPECT_FALSE(names_.Opens("192.0.2.2").ok());
}

TEST_F(IsolationTest, ISO5_WhatNamesHaveOpenedIsOpenAfterARestart) {
  ASSERT_TRUE(isolation_->Set(ByName(), "order-1", 1).ok());
  clock_.Advance(2 * kNanosPerSecond);
  ASSERT_TRUE(names_.Opens("192.0.2.1").ok());
  ASSERT_TRUE(names_.Opens("192.0.2.2").ok());  // within a second: written with the next tick
  clock_.Advance(2 * kNanosPerSecond);
  isolation_->Tick();
  filter_.Lose();
  names_ = FakeNames();
  StartAgent("boot-2");
  ASSERT_TRUE(isolation_->Restore().ok());
  EXPECT_EQ(filter_.Held()->name_sets.at(0).addresses.size(), 2U);
  EXPECT_TRUE(filter_.Held()->dns.has_value());
}

TEST_F(IsolationTest, NamesFollowTheLevelAndARefusedChange) {
  ASSERT_TRUE(isolation_->Set(ByName(), "order-1", 1).ok());
  EXPECT_EQ(names_.Level(), v1::LEVEL_ESSENTIAL);
  filter_.FailApply(absl::InternalError("the kernel says no"));
  EXPECT_FALSE(isolation_->Set(Isolate(v1::LEVEL_DARK), "order-2", 2).ok());
  EXPECT_EQ(names_.Level(), v1::LEVEL_ESSENTIAL);
  filter_.FailApply(absl::OkStatus());
  ASSERT_TRUE(isolation_->Set(ByName(v1::LEVEL_CONTROLLER_ONLY), "order-2", 2).ok());
  EXPECT_EQ(names_.Level(), v1::LEVEL_CONTROLLER_ONLY);
  EXPECT_FALSE(filter_.Held()->dns.has_value());
  EXPECT_TRUE(filter_.Held()->name_sets.empty());
  ASSERT_TRUE(isolation_->Release("order-3", 3).ok());
  EXPECT_EQ(names_.Level(), v1::LEVEL_OBSERVE);
}

// A flow that the kernel remembers would pass by the redirect, or go on to a guard that has gone.
TEST_F(IsolationTest, TrackedFlowsAreForgottenWhenTheRedirectComesAndGoes) {
  ASSERT_TRUE(isolation_->Set(Isolate(v1::LEVEL_ESSENTIAL), "order-1", 1).ok());
  EXPECT_EQ(connections_.Forgotten(), 0);
  ASSERT_TRUE(isolation_->Set(ByName(), "order-2", 2).ok());
  EXPECT_EQ(connections_.Forgotten(), 1);
  ASSERT_TRUE(isolation_->Release("order-3", 3).ok());
  EXPECT_EQ(connections_.Forgotten(), 2);
}

TEST_F(IsolationTest, ISO7_NamesThatLeadNowhereAreANoteAndNoLeak) {
  ASSERT_TRUE(isolation_->Set(ByName(), "order-1", 1).ok());
  names_.Note("the profile's name pms.example.vet cannot be looked up: no answer");
  const v1::Receipt receipt = isolation_->ReadReceipt();
  EXPECT_EQ(receipt.containment(), v1::CONTAINMENT_CONTAINED);
  ASSERT_EQ(receipt.reasons_size(), 1);
  EXPECT_TRUE(isolation_->Prove().ok());
}

}  // namespace
}  // namespace cordon::testing
