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
  EXPECT_EQ(*box_->Reconcile(other), 3);
  EXPECT_EQ(box_.All()[0].first_sequence(), 4);
  EXPECT_EQ(Pids().size(), 5);
}

TEST_F(Reconcile, BeginsANewChainAboveTheNumbersOfAnotherChain) {
  v1::TelemetryPosition other = At(3);
  other.set_chain_id(NewUuid());
  EXPECT_EQ(*box_->Reconcile(other), 3);
  EXPECT_EQ(box_.All()[0].first_sequence(), 4);
  EXPECT_EQ(Pids().size(), 5);
}

TEST_F(Reconcile, BeginsANewChainWhenTheControllerWasSetBack) {
  const v1::TelemetryPosition at_two = At(2);
  ASSERT_TRUE(box_->Acknowledge(box_->ChainId(), 4).ok());
  ASSERT_TRUE(box_->Maintain().ok());
  EXPECT_EQ(*box_->Reconcile(at_two), 4);
  EXPECT_EQ(box_.All()[0].first_sequence(), 5);
  EXPECT_EQ(Pids(), (std::vector<uint32_t>{5}));
  EXPECT_EQ(box_.Gaps().size(), 1);
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
