// What happens when host and controller do not agree on where they are.
#include <gtest/gtest.h>

#include "agent/spool/spool.h"
#include "common/base/uuid.h"
#include "tests/support/spool_box.h"

namespace cordon::agent {
namespace {

using testing::ChainFault;
using testing::Group;
using testing::ProcessEvent;
using testing::SpoolBox;

class Reconcile : public ::testing::Test {
 protected:
  void SetUp() override {
    for (uint32_t pid = 1; pid <= 5; ++pid) {
      ASSERT_TRUE(box_->Append({Group(v1::EVENT_CLASS_PROCESS, {ProcessEvent(pid)})}).ok());
    }
  }

  v1::TelemetryPosition At(uint64_t sequence) {
    v1::TelemetryPosition position;
    position.set_chain_id(box_->ChainId());
    position.set_acknowledged_sequence(sequence);
    const std::vector<v1::Batch> batches = *box_->Next(0, SIZE_MAX);
    for (const v1::Batch& batch : batches) {
      if (batch.first_sequence() == sequence) position.set_last_hash(BatchHash(testing::kSpoolHost, batch));
    }
    return position;
  }

  std::vector<uint32_t> Pids() {
    std::vector<uint32_t> pids;
    for (const v1::Event& event : box_.Events()) {
      if (event.has_process_started()) pids.push_back(event.process_started().pid());
    }
    return pids;
  }

  SpoolBox box_;
};

TEST_F(Reconcile, BeginsAtTheBeginningForAControllerThatHasNothing) {
  const std::string chain = box_->ChainId();
  EXPECT_EQ(*box_->Reconcile({}), 0);
  EXPECT_EQ(box_->ChainId(), chain);
}

TEST_F(Reconcile, GoesOnWhereTheControllerIs) {
  EXPECT_EQ(*box_->Reconcile(At(3)), 3);
  EXPECT_EQ(box_->Stats().acknowledged_sequence, 3);
  EXPECT_EQ(*box_->Reconcile(At(5)), 5);
}

TEST_F(Reconcile, BeginsANewChainAboveAControllerThatKnowsMore) {
  v1::TelemetryPosition ahead = At(5);
  ahead.set_acknowledged_sequence(900);
  const std::string chain = box_->ChainId();
  EXPECT_EQ(*box_->Reconcile(ahead), 900);
  EXPECT_NE(box_->ChainId(), chain);
  EXPECT_EQ(box_.All()[0].first_sequence(), 901);
  EXPECT_EQ(box_.All()[0].previous_hash(), FirstPreviousHash());
  EXPECT_EQ(ChainFault(box_.All()), "");
  EXPECT_EQ(Pids(), (std::vector<uint32_t>{1, 2, 3, 4, 5}));
  ASSERT_EQ(box_.Gaps().size(), 1);
  EXPECT_EQ(box_.Gaps()[0].cause(), v1::Gap::CAUSE_STATE_DAMAGED);
}

TEST_F(Reconcile, BeginsANewChainWhenTheHashesDiffer) {
  v1::TelemetryPosition other = At(3);
  other.set_last_hash(std::string(32, 'x'));
  EXPECT_EQ(*box_->Reconcile(other), 5);
  EXPECT_EQ(box_.All()[0].first_sequence(), 6);
  EXPECT_EQ(Pids().size(), 5);
}

TEST_F(Reconcile, BeginsANewChainAboveTheNumbersOfAnotherChain) {
  v1::TelemetryPosition other = At(3);
  other.set_chain_id(NewUuid());
  EXPECT_EQ(*box_->Reconcile(other), 5);
  EXPECT_EQ(box_.All()[0].first_sequence(), 6);
  EXPECT_EQ(Pids().size(), 5);
}

TEST_F(Reconcile, BeginsANewChainWhenTheControllerWasSetBack) {
  const v1::TelemetryPosition at_two = At(2);
  ASSERT_TRUE(box_->Acknowledge(box_->ChainId(), 0, 4).ok());
  ASSERT_TRUE(box_->Maintain().ok());
  EXPECT_EQ(*box_->Reconcile(at_two), 5);
  EXPECT_EQ(box_.All()[0].first_sequence(), 6);
  EXPECT_EQ(Pids(), (std::vector<uint32_t>{5}));
  ASSERT_EQ(box_.Gaps().size(), 1);
  EXPECT_EQ(box_.Gaps()[0].first_sequence(), 3);  // what it lost has numbers
  EXPECT_EQ(box_.Gaps()[0].count(), 2);
  EXPECT_FALSE(box_.Gaps()[0].count_is_bound());
}

TEST_F(Reconcile, SendsAgainWhatIsStillOnDiskWhenTheControllerLostItsLastCommit) {
  const std::string chain = box_->ChainId();
  const v1::TelemetryPosition at_two = At(2);
  ASSERT_TRUE(box_->Acknowledge(chain, 0, 4).ok());
  EXPECT_EQ(*box_->Reconcile(at_two), 2);
  EXPECT_EQ(box_->ChainId(), chain);
  EXPECT_EQ(box_->Next(2, SIZE_MAX)->size(), 3);
  EXPECT_TRUE(box_.Gaps().empty());
}

TEST_F(Reconcile, ForgetsTheContentOfWhatIsStoredAheadAndKeepsItsHeader) {
  const uint64_t before = box_->Stats().events;
  ASSERT_TRUE(box_->Acknowledge(box_->ChainId(), 4, 5).ok());
  ASSERT_TRUE(box_->Maintain().ok());
  EXPECT_EQ(box_->Stats().events, before - 2);
  EXPECT_EQ(box_->Stats().acknowledged_sequence, 0);
  EXPECT_EQ(box_.All().size(), 5);
  EXPECT_EQ(ChainFault(box_.All()), "");
  ASSERT_TRUE(box_->Acknowledge(box_->ChainId(), 0, 5).ok());
  ASSERT_TRUE(box_->Maintain().ok());
  EXPECT_TRUE(box_.All().empty());
}

v1::Segment SegmentOf(uint64_t first, uint64_t last, const std::string& hash) {
  v1::Segment segment;
  segment.set_first_sequence(first);
  segment.set_last_sequence(last);
  segment.set_last_hash(hash);
  return segment;
}

TEST_F(Reconcile, TakesSegmentsThatAreOfItsChainAndNoOthers) {
  const std::string chain = box_->ChainId();
  v1::TelemetryPosition position = At(1);
  *position.add_ahead() = SegmentOf(3, 4, At(4).last_hash());
  EXPECT_EQ(*box_->Reconcile(position), 1);
  EXPECT_EQ(box_->ChainId(), chain);
  position.mutable_ahead(0)->set_last_hash(std::string(32, 'x'));
  EXPECT_EQ(*box_->Reconcile(position), 5);
  EXPECT_NE(box_->ChainId(), chain);
  EXPECT_EQ(Pids(), (std::vector<uint32_t>{1, 2, 3, 4, 5}));
}

TEST_F(Reconcile, AUT6_APositionThatIsNoneChangesNothing) {
  const std::string chain = box_->ChainId();
  for (const auto& [first, last] :
       std::vector<std::pair<uint64_t, uint64_t>>{{1, 2}, {2, 3}, {4, 3}, {4, uint64_t{1} << 62}, {0, 0}}) {
    v1::TelemetryPosition position = At(1);
    *position.add_ahead() = SegmentOf(first, last, At(4).last_hash());
    EXPECT_EQ(box_->Reconcile(position).status().code(), absl::StatusCode::kInvalidArgument) << first;
  }
  v1::TelemetryPosition many = At(1);
  for (uint64_t i = 0; i < 17; ++i) *many.add_ahead() = SegmentOf(3 + 2 * i, 3 + 2 * i, At(4).last_hash());
  EXPECT_EQ(box_->Reconcile(many).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(box_->ChainId(), chain);
  EXPECT_EQ(*box_->Reconcile(At(1)), 1);
}

// A new chain goes on behind the controller's highest number: a captured controller that claims one near the
// end of all numbers would stop this host's telemetry for good.
TEST_F(Reconcile, AUT6_APositionThatWouldUseUpTheNumbersChangesNothing) {
  constexpr uint64_t kFarthest = uint64_t{1} << 40;
  const std::string chain = box_->ChainId();
  for (const std::string& their_chain : {chain, NewUuid()}) {
    for (const uint64_t claimed :
         {5 + kFarthest + 1, (uint64_t{1} << 62) - 1, (uint64_t{1} << 63) - 1, ~uint64_t{0}}) {
      v1::TelemetryPosition position = At(5);
      position.set_chain_id(their_chain);
      position.set_acknowledged_sequence(claimed);
      EXPECT_EQ(box_->Reconcile(position).status().code(), absl::StatusCode::kInvalidArgument) << claimed;
      *position.add_ahead() = SegmentOf(7, 8, At(4).last_hash());  // behind a number that has no next one
      EXPECT_EQ(box_->Reconcile(position).status().code(), absl::StatusCode::kInvalidArgument) << claimed;
    }
  }
  EXPECT_EQ(box_->ChainId(), chain);
  EXPECT_EQ(*box_->Reconcile(At(5)), 5);
  v1::TelemetryPosition credible = At(5);
  credible.set_acknowledged_sequence(5 + kFarthest);
  EXPECT_EQ(*box_->Reconcile(credible), 5 + kFarthest);
  EXPECT_NE(box_->ChainId(), chain) << "the positive control";
}

TEST_F(Reconcile, WhatAControllerHadAheadAndLostIsAGap) {
  ASSERT_TRUE(box_->Acknowledge(box_->ChainId(), 4, 5).ok());
  ASSERT_TRUE(box_->Maintain().ok());
  EXPECT_EQ(*box_->Reconcile(At(1)), 1);
  const std::vector<v1::Batch> batches = *box_->Next(1, SIZE_MAX);
  ASSERT_EQ(batches.size(), 4);
  EXPECT_EQ(batches[1].dropped(), v1::Gap::CAUSE_UNSPECIFIED);
  EXPECT_EQ(batches[2].dropped(), v1::Gap::CAUSE_STATE_DAMAGED);
  EXPECT_EQ(batches[3].dropped(), v1::Gap::CAUSE_STATE_DAMAGED);
}

TEST_F(Reconcile, ANewChainLeavesOutWhatIsStoredAhead) {
  ASSERT_TRUE(box_->Acknowledge(box_->ChainId(), 4, 5).ok());
  ASSERT_TRUE(box_->Maintain().ok());
  v1::TelemetryPosition damaged = At(1);
  damaged.set_last_hash(std::string(32, 'x'));
  *damaged.add_ahead() = SegmentOf(4, 5, At(5).last_hash());
  ASSERT_TRUE(box_->Reconcile(damaged).ok());
  EXPECT_EQ(Pids(), (std::vector<uint32_t>{1, 2, 3}));
  EXPECT_EQ(box_.All().size(), 4);  // and the gap that says so
}

TEST_F(Reconcile, AgreesAgainAfterTheNewChainWasBegun) {
  v1::TelemetryPosition ahead = At(5);
  ahead.set_acknowledged_sequence(900);
  ASSERT_TRUE(box_->Reconcile(ahead).ok());
  const std::string chain = box_->ChainId();
  EXPECT_EQ(*box_->Reconcile(ahead), 900);
  EXPECT_EQ(box_->ChainId(), chain);
  box_.CrashAndStart();
  EXPECT_EQ(*box_->Reconcile(ahead), 900);
  EXPECT_EQ(box_->ChainId(), chain);
}

TEST_F(Reconcile, GivesUpABatchThatNoControllerTakes) {
  ASSERT_TRUE(box_->GiveUp(2, "a field that is not UTF-8").ok());
  const auto batches = box_.All();
  EXPECT_EQ(batches[1].dropped(), v1::Gap::CAUSE_STATE_DAMAGED);
  EXPECT_EQ(ChainFault(batches), "");
  EXPECT_EQ(Pids(), (std::vector<uint32_t>{1, 3, 4, 5}));
  ASSERT_EQ(box_.Gaps().size(), 1);
  EXPECT_EQ(box_.Gaps()[0].first_sequence(), 2);
  EXPECT_NE(box_.Gaps()[0].detail().find("not UTF-8"), std::string::npos);
}

TEST_F(Reconcile, BeginsANewChainWhenEvenAnEmptyBatchIsRefused) {
  const std::string chain = box_->ChainId();
  ASSERT_TRUE(box_->GiveUp(2, "does not follow").ok());
  ASSERT_TRUE(box_->GiveUp(2, "does not follow").ok());
  EXPECT_NE(box_->ChainId(), chain);
  EXPECT_EQ(ChainFault(box_.All()), "");
}

}  // namespace
}  // namespace cordon::agent
