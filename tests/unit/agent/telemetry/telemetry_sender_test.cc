#include "agent/telemetry/telemetry_sender.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/stubborn_spool.h"
#include "tests/support/spool_box.h"

namespace cordon::agent {
namespace {

using testing::BulkyEvent;
using testing::FakeClock;
using testing::Group;
using testing::SpoolBox;
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
  FakeClock clock_;
  int ready_ = 0;
  int acknowledged_ = 0;
  TelemetrySender sender_{spool_, clock_, {.batches = 3, .bytes = 1'000}, [this] { ++acknowledged_; }};
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
  TelemetrySender sender(spool, clock_, {.batches = 100, .bytes = 1'000}, [] {});
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

// Else the stream would end with each try, before the controller can say that it has what stands before.
TEST_F(SenderTest, TEL2_DamageEndsTheStreamWhenWhatStandsBeforeItIsAcknowledged) {
  spool_.DamageBatch(3);
  Open();
  EXPECT_EQ(Next(), 1);
  EXPECT_EQ(Next(), 2);
  EXPECT_EQ(Next(), 0);
  EXPECT_TRUE(Acknowledge(1).ok());
  EXPECT_EQ(Next(), 0);
  EXPECT_TRUE(Acknowledge(2).ok());
  EXPECT_EQ(sender_.Next().status().code(), absl::StatusCode::kDataLoss);
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

// A real queue with a backlog, and a controller that knows what a controller says.
class Backlog : public ::testing::Test {
 protected:
  static constexpr uint64_t kOld = 60;  // batches of one event, of about 8 KB

  Backlog() {
    for (uint32_t pid = 1; pid <= kOld; ++pid) Append(pid);
  }

  void Append(uint32_t pid) {
    ASSERT_TRUE(box_->Append({Group(v1::EVENT_CLASS_PROCESS, {BulkyEvent(pid, 10'000)})}).ok());
    box_.Time().Advance(kNanosPerSecond);
    sender_.OnNewBatches();
  }
  void Open(uint64_t acknowledged, const std::vector<std::pair<uint64_t, uint64_t>>& ahead = {}) {
    v1::TelemetryPosition position;
    position.set_chain_id(box_->ChainId());
    position.set_acknowledged_sequence(acknowledged);
    for (const auto& [first, last] : ahead) {
      v1::Segment& segment = *position.add_ahead();
      segment.set_first_sequence(first);
      segment.set_last_sequence(last);
      segment.set_last_hash(HashOf(last));
    }
    box_.Time().Advance(TelemetrySender::kRecentNanos);  // all that is there is old
    sender_.OnStreamOpened();
    const absl::Status taken = sender_.OnPosition(position);
    ASSERT_TRUE(taken.ok()) << taken;
  }
  std::string HashOf(uint64_t sequence) {
    return BatchHash(testing::kSpoolHost, (*box_->Next(sequence - 1, 1))[0]);
  }
  // What goes up until the windows are full; each is its number, negative when it opens a segment.
  std::vector<int64_t> Send() {
    std::vector<int64_t> sent;
    for (auto next = sender_.Next(); next->has_value(); next = sender_.Next()) {
      const auto number = static_cast<int64_t>((*next)->batch().first_sequence());
      sent.push_back((*next)->opens_segment() ? -number : number);
    }
    return sent;
  }
  void Acknowledge(uint64_t first, uint64_t last) {
    v1::Acknowledgement acknowledgement;
    acknowledgement.set_chain_id(box_->ChainId());
    acknowledgement.set_first_sequence(first);
    acknowledgement.set_last_sequence(last);
    const absl::Status taken = sender_.OnAcknowledgement(acknowledgement);
    ASSERT_TRUE(taken.ok()) << taken;
  }

  SpoolBox box_;
  TelemetrySender sender_{*box_, box_.Time(), TelemetrySender::Window(), [] {}};
};

TEST_F(Backlog, WhatIsNewOpensASegmentAndGoesFirst) {
  Open(0);
  Append(kOld + 1);
  Append(kOld + 2);
  const std::vector<int64_t> sent = Send();
  ASSERT_GE(sent.size(), 4U);
  EXPECT_EQ(sent[0], -61);
  EXPECT_EQ(sent[1], 62);
  EXPECT_EQ(sent[2], 1);
  EXPECT_EQ(sent[3], 2);
}

// A moment before the stream opens, and while the position takes its time to come, on a slow line.
TEST_F(Backlog, WhatHasJustHappenedIsNewToo) {
  v1::TelemetryPosition position;
  position.set_chain_id(box_->ChainId());
  box_.Time().Advance(TelemetrySender::kRecentNanos);
  Append(kOld + 1);
  sender_.OnStreamOpened();
  Append(kOld + 2);
  ASSERT_TRUE(sender_.OnPosition(position).ok());
  const std::vector<int64_t> sent = Send();
  ASSERT_GE(sent.size(), 3U);
  EXPECT_EQ(sent[0], -61);
  EXPECT_EQ(sent[1], 62);
  EXPECT_EQ(sent[2], 1);
}

TEST_F(Backlog, IsNotStarvedByWhatIsNew) {
  Open(0);
  for (uint32_t pid = kOld + 1; pid <= kOld + 12; ++pid) Append(pid);
  const std::vector<int64_t> sent = Send();
  ASSERT_GE(sent.size(), 8U);
  EXPECT_EQ(std::vector<int64_t>(sent.begin(), sent.begin() + 8),
            (std::vector<int64_t>{-61, 62, 63, 1, 64, 65, 66, 2}));
}

TEST_F(Backlog, WhatIsNewDoesNotWaitForAWindowThatTheBacklogFilled) {
  Open(0);
  const size_t before = Send().size();
  ASSERT_GT(before, 0U);
  Append(kOld + 1);
  EXPECT_EQ(Send(), (std::vector<int64_t>{-61}));
}

TEST_F(Backlog, DrainsToItsEndAndTheChainIsWholeAgain) {
  Open(0);
  Append(kOld + 1);
  uint64_t drained = 0;
  while (drained < kOld) {
    for (const int64_t number : Send()) {
      if (number > 0) drained = static_cast<uint64_t>(number);
    }
    if (drained < kOld) Acknowledge(0, drained);
  }
  Acknowledge(0, kOld + 1);  // the hole is closed
  EXPECT_EQ(sender_.InFlight(), 0U);
  ASSERT_TRUE(box_->Maintain().ok());
  EXPECT_EQ(box_->Stats().events, 0U);
  Append(kOld + 2);
  EXPECT_EQ(Send(), (std::vector<int64_t>{62}));
}

TEST_F(Backlog, GoesOnWithTheSegmentsThatTheControllerHas) {
  Open(3, {{5, 6}, {61 - 10, 60}});
  Append(kOld + 1);
  const std::vector<int64_t> sent = Send();
  ASSERT_GE(sent.size(), 5U);
  EXPECT_EQ(std::vector<int64_t>(sent.begin(), sent.begin() + 5), (std::vector<int64_t>{61, 4, 7, 8, 9}));
}

TEST_F(Backlog, OpensNoSegmentBeyondTheLimit) {
  std::vector<std::pair<uint64_t, uint64_t>> ahead;
  for (uint64_t first = 3; ahead.size() < TelemetrySender::kMaxSegments; first += 1 + ahead.size() % 2)
    ahead.emplace_back(first, first), ++first;
  Open(0, ahead);
  const uint64_t newest = ahead.back().second;
  for (uint32_t pid = kOld + 1; pid <= kOld + 40; ++pid) Append(pid);
  const std::vector<int64_t> sent = Send();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0], static_cast<int64_t>(newest + 1));
}

TEST_F(Backlog, AChainBeginsWithItsFirstBatch) {
  box_.Time().Advance(TelemetrySender::kRecentNanos);
  sender_.OnStreamOpened();
  ASSERT_TRUE(sender_.OnPosition({}).ok());  // a controller that has nothing
  Append(kOld + 1);
  const std::vector<int64_t> sent = Send();
  ASSERT_GE(sent.size(), 2U);
  EXPECT_EQ(sent[0], 1);
  EXPECT_EQ(sent[1], -61);
}

TEST_F(Backlog, ASlowLineHasLittleOnItsWay) {
  for (uint32_t pid = kOld + 1; pid <= kOld + 60; ++pid) {
    ASSERT_TRUE(box_->Append({Group(v1::EVENT_CLASS_PROCESS, {BulkyEvent(pid, 40'000)})}).ok());
  }
  Open(kOld);
  const size_t first = Send().size();
  uint64_t last = kOld;
  for (int i = 0; i < 3; ++i) {  // acknowledged at once: more may be on its way
    last += sender_.InFlight();
    Acknowledge(0, last);
    Send();
  }
  const size_t fast = sender_.InFlight();
  EXPECT_GT(fast, first);
  box_.Time().Advance(2 * TelemetrySender::kAimNanos);
  last += fast;
  Acknowledge(0, last);
  EXPECT_LT(Send().size(), fast);
}

TEST_F(Backlog, ALittleIsNone) {
  Open(kOld - 5);
  Append(kOld + 1);
  EXPECT_EQ(Send(), (std::vector<int64_t>{56, 57, 58, 59, 60, 61}));
}

}  // namespace
}  // namespace cordon::agent
