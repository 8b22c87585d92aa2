#include "agent/telemetry/telemetry_sender.h"

#include <gtest/gtest.h>

#include "tests/fakes/stubborn_spool.h"

namespace cordon::agent {
namespace {

using testing::StubbornSpool;

class SenderTest : public ::testing::Test {
 protected:
  SenderTest() {
    sender_.OnReady([this] { ++ready_; });
    for (int i = 0; i < 6; ++i) spool_.AddBatch(100);
  }

  void Open(uint64_t at = 0) {
    sender_.OnStreamOpened();
    v1::TelemetryPosition position;
    position.set_acknowledged_sequence(at);
    ASSERT_TRUE(sender_.OnPosition(position).ok());
  }
  // The sequence of the next batch; 0 = nothing to send.
  uint64_t Next() {
    const auto request = sender_.Next();
    EXPECT_TRUE(request.ok()) << request.status();
    return request.ok() && request->has_value() ? (*request)->batch().first_sequence() : 0;
  }
  absl::Status Acknowledge(uint64_t sequence) {
    v1::Acknowledgement acknowledgement;
    acknowledgement.set_chain_id(spool_.ChainId());
    acknowledgement.set_last_sequence(sequence);
    return sender_.OnAcknowledgement(acknowledgement);
  }
  absl::Status Refuse(uint64_t sequence) {
    v1::BatchRefused refused;
    refused.set_first_sequence(sequence);
    refused.set_reason("no");
    return sender_.OnRefused(refused);
  }

  StubbornSpool spool_;
  int ready_ = 0;
  int acknowledged_ = 0;
  TelemetrySender sender_{spool_, {.batches = 3, .bytes = 1'000}, [this] { ++acknowledged_; }};
};

TEST_F(SenderTest, SendsNothingBeforeThePosition) {
  sender_.OnStreamOpened();
  EXPECT_EQ(Next(), 0);
  sender_.OnNewBatches();
  EXPECT_EQ(ready_, 0);
}

TEST_F(SenderTest, GoesOnAfterThePosition) {
  Open(4);
  EXPECT_EQ(ready_, 1);
  EXPECT_EQ(Next(), 5);
  EXPECT_EQ(Next(), 6);
  EXPECT_EQ(Next(), 0);
}

TEST_F(SenderTest, StopsAtAFullWindowAndGoesOnWithAcknowledgements) {
  Open();
  EXPECT_EQ(Next(), 1);
  EXPECT_EQ(Next(), 2);
  EXPECT_EQ(Next(), 3);
  EXPECT_EQ(Next(), 0);
  ready_ = 0;
  ASSERT_TRUE(Acknowledge(2).ok());
  EXPECT_EQ(ready_, 1);
  EXPECT_EQ(spool_.Acknowledged(), 2);
  EXPECT_EQ(sender_.InFlight(), 1);
  EXPECT_EQ(Next(), 4);
}

TEST_F(SenderTest, KeepsTheWindowInBytes) {
  StubbornSpool spool;
  TelemetrySender sender(spool, {.batches = 100, .bytes = 1'000}, [] {});
  for (int i = 0; i < 6; ++i) spool.AddBatch(600);
  ASSERT_TRUE(sender.OnPosition({}).ok());
  EXPECT_TRUE(sender.Next()->has_value());
  EXPECT_TRUE(sender.Next()->has_value());
  EXPECT_FALSE(sender.Next()->has_value());
}

TEST_F(SenderTest, SendsAgainAfterTheStreamEnded) {
  Open();
  EXPECT_EQ(Next(), 1);
  EXPECT_EQ(Next(), 2);
  sender_.OnStreamEnded();
  EXPECT_EQ(Next(), 0);
  Open(1);
  EXPECT_EQ(Next(), 2);
}

TEST_F(SenderTest, RefusesAcknowledgementsOfWhatWasNotSent) {
  Open();
  EXPECT_EQ(Next(), 1);
  EXPECT_FALSE(Acknowledge(2).ok());
  EXPECT_TRUE(Acknowledge(1).ok());
}

TEST_F(SenderTest, EndsTheStreamWhenTheSpoolBeganANewChain) {
  Open();
  EXPECT_EQ(Next(), 1);
  spool_.BeginChain("chain-2");
  sender_.OnStreamEnded();
  Open();
  EXPECT_EQ(Next(), 1);
  sender_.OnStreamEnded();
  Open(3);
  spool_.BeginChain("chain-3");
  EXPECT_EQ(sender_.Next().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SenderTest, GivesUpABatchThatIsRefusedAgainAndAgain) {
  for (int i = 1; i < TelemetrySender::kMaxRefusals; ++i) EXPECT_FALSE(Refuse(2).ok());
  EXPECT_TRUE(spool_.GivenUp().empty());
  EXPECT_FALSE(Refuse(2).ok());
  EXPECT_EQ(spool_.GivenUp(), std::vector<uint64_t>{2});
  EXPECT_FALSE(Refuse(2).ok());
  EXPECT_EQ(spool_.GivenUp().size(), 1);
}

TEST_F(SenderTest, TakesOnePositionPerStream) {
  Open();
  EXPECT_FALSE(sender_.OnPosition({}).ok());
}

}  // namespace
}  // namespace cordon::agent
