// TEL-3 and TEL-2 for batches that are stored ahead of a backlog: one chain, delivered in segments. Whatever
// comes in whatever order, what is stored is that chain, and what is not of it is named.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "controller/store/chain.h"
#include "tests/support/spool_box.h"
#include "tests/support/store_box.h"
#include "tests/support/stored_chains.h"
#include "tests/support/test_batches.h"

namespace cordon {
namespace {

using controller::BatchResult;
using controller::ChainPosition;
using controller::HostBatch;
using ::testing::AllOf;
using testing::BatchChain;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Must;
using ::testing::SizeIs;
using testing::StartedEvent;
using testing::StoreBox;
using testing::StoredChainFault;
using testing::StoredRows;
using Verdict = BatchResult::Verdict;

struct Fixture {
  StoreBox box;
  std::string host = box.AddHost("a");
  BatchChain chain{host};
  std::vector<v1::Batch> batches;  // batch i has the one event i + 1

  explicit Fixture(uint32_t count) {
    for (uint32_t pid = 1; pid <= count; ++pid) batches.push_back(chain.Next({StartedEvent(pid)}));
  }
  BatchResult Commit(const v1::Batch& batch, bool opens = false) {
    const std::vector<HostBatch> group = {{host, batch, opens}};
    return Must(box->CommitBatches(group)).batches.at(0);
  }
  BatchResult Commit(size_t number, bool opens = false) { return Commit(batches[number - 1], opens); }
  ChainPosition Position() { return Must(box->PositionOf(host)); }
  std::string Fault() { return StoredChainFault(StoredRows(box.File(), host), host, chain.Id()); }
  size_t Stored() { return StoredRows(box.File(), host).size(); }
};

TEST(Segments, TEL3_WhatIsNewIsStoredAheadAndJoinedWhenTheHoleIsClosed) {
  Fixture f(6);
  ASSERT_EQ(f.Commit(1).verdict, Verdict::kCommitted);
  const BatchResult ahead = f.Commit(4, true);
  EXPECT_EQ(ahead.verdict, Verdict::kCommitted);
  EXPECT_EQ(ahead.stored_from, 4U);
  EXPECT_EQ(ahead.stored_to, 4U);
  EXPECT_EQ(f.Commit(5).stored_to, 5U);  // goes on with the segment
  EXPECT_EQ(f.Position().acknowledged_sequence, 1U);
  EXPECT_THAT(f.Position().ahead, SizeIs(1));
  EXPECT_EQ(f.Commit(2).stored_to, 2U);
  const BatchResult joined = f.Commit(3);
  EXPECT_EQ(joined.stored_from, 0U);
  EXPECT_EQ(joined.stored_to, 5U);
  EXPECT_THAT(f.Position().ahead, IsEmpty());
  EXPECT_EQ(f.Position().acknowledged_sequence, 5U);
  EXPECT_EQ(f.Commit(6).verdict, Verdict::kCommitted);
  EXPECT_EQ(f.Fault(), "");
  EXPECT_EQ(f.Stored(), 6U);
}

TEST(Segments, TEL3_OutliveARestartOfTheController) {
  Fixture f(5);
  ASSERT_EQ(f.Commit(1).verdict, Verdict::kCommitted);
  ASSERT_EQ(f.Commit(4, true).verdict, Verdict::kCommitted);
  const ChainPosition before = f.Position();
  f.box.Crash();
  f.box.Start();
  EXPECT_EQ(f.Position(), before);
  for (const size_t number : {2, 3, 5}) EXPECT_EQ(f.Commit(number).verdict, Verdict::kCommitted);
  EXPECT_EQ(f.Position().acknowledged_sequence, 5U);
}

TEST(Segments, TEL2_ARepeatWithinOneIsStoredOnce) {
  Fixture f(6);
  ASSERT_EQ(f.Commit(1).verdict, Verdict::kCommitted);
  for (const size_t number : {4, 5}) ASSERT_EQ(f.Commit(number, true).verdict, Verdict::kCommitted);
  for (const size_t number : {1, 4, 5}) {
    EXPECT_EQ(f.Commit(number, true).verdict, Verdict::kRepeat);
    EXPECT_EQ(f.Commit(number).verdict, Verdict::kRepeat);
  }
  EXPECT_EQ(f.Commit(4).stored_from, 4U);
  EXPECT_EQ(f.Stored(), 3U);
}

TEST(Segments, TEL3_ABatchThatDoesNotLeadToTheOneAheadIsNamed) {
  Fixture f(4);
  ASSERT_EQ(f.Commit(1).verdict, Verdict::kCommitted);
  ASSERT_EQ(f.Commit(4, true).verdict, Verdict::kCommitted);
  ASSERT_EQ(f.Commit(2).verdict, Verdict::kCommitted);
  v1::Batch forged = f.batches[2];
  testing::Fill({StartedEvent(99)}, BatchChain::kNoon, &forged);
  const BatchResult refused = f.Commit(forged);
  EXPECT_EQ(refused.verdict, Verdict::kRefused);
  EXPECT_THAT(refused.reason,
              AllOf(HasSubstr("batch 3-3"), HasSubstr("at 4"), HasSubstr("altered or exchanged")));
  EXPECT_EQ(f.Position().acknowledged_sequence, 2U);
  EXPECT_EQ(f.Commit(3).verdict, Verdict::kCommitted);  // the right one
  EXPECT_EQ(f.Fault(), "");
}

TEST(Segments, TEL3_ABatchThatDoesNotFollowWithinOneIsNamed) {
  Fixture f(6);
  ASSERT_EQ(f.Commit(1).verdict, Verdict::kCommitted);
  ASSERT_EQ(f.Commit(4, true).verdict, Verdict::kCommitted);
  v1::Batch forged = f.batches[4];
  forged.set_previous_hash(Sha256("another"));
  EXPECT_THAT(f.Commit(forged).reason, HasSubstr("does not follow the batch that ends at 4"));
  EXPECT_THAT(f.Commit(6).reason, HasSubstr("batch 6-6 leaves a hole: 5-5 are missing"));
  EXPECT_EQ(f.Commit(5).verdict, Verdict::kCommitted);
}

TEST(Segments, TEL3_BatchesThatWereCutAnewAreRefused) {
  Fixture f(6);
  ASSERT_EQ(f.Commit(1).verdict, Verdict::kCommitted);
  for (const size_t number : {4, 5}) ASSERT_EQ(f.Commit(number, true).verdict, Verdict::kCommitted);
  for (const uint64_t first : {3, 5}) {
    v1::Batch cut = f.batches[first - 1];
    testing::Fill({StartedEvent(7), StartedEvent(8)}, BatchChain::kNoon, &cut);
    EXPECT_THAT(f.Commit(cut, true).reason, HasSubstr("overlaps what is stored as 4-5")) << first;
  }
}

TEST(Segments, AUT6_NoMoreThanSixteenAtOnce) {
  Fixture f(2 * controller::kMaxSegmentsAhead + 4);
  ASSERT_EQ(f.Commit(1).verdict, Verdict::kCommitted);
  size_t number = 3;
  for (size_t i = 0; i < controller::kMaxSegmentsAhead; ++i, number += 2) {
    ASSERT_EQ(f.Commit(number, true).verdict, Verdict::kCommitted) << number;
  }
  EXPECT_THAT(f.Commit(number, true).reason, HasSubstr("16 are open already"));
  EXPECT_EQ(f.Commit(2).verdict, Verdict::kCommitted);  // closes one hole
  EXPECT_EQ(f.Commit(number, true).verdict, Verdict::kCommitted);
}

TEST(Segments, TEL3_AChainDoesNotBeginAheadOfItsBeginning) {
  Fixture f(3);
  EXPECT_THAT(f.Commit(2, true).reason, HasSubstr("the beginning is missing"));
  EXPECT_EQ(f.Commit(1, true).verdict, Verdict::kCommitted);
}

TEST(Segments, TEL2_EventsThatCameAheadAreNotStoredAgainWithANewChain) {
  Fixture f(4);
  ASSERT_EQ(f.Commit(1).verdict, Verdict::kCommitted);
  ASSERT_EQ(f.Commit(4, true).verdict, Verdict::kCommitted);
  BatchChain fresh(f.host, 5);
  for (uint32_t pid = 2; pid <= 4; ++pid)
    ASSERT_EQ(f.Commit(fresh.Next({StartedEvent(pid)})).verdict, Verdict::kCommitted);
  const std::vector<testing::StoredRow> rows = StoredRows(f.box.File(), f.host);
  EXPECT_EQ(StoredChainFault(rows, f.host, fresh.Id()), "");
  for (const auto& [pid, times] : testing::TruthOf(rows).pids) EXPECT_EQ(times, 1) << pid;
  EXPECT_THAT(testing::TruthOf(rows).pids, SizeIs(4));
  std::vector<uint32_t> shown;
  Must(f.box->QueryEvents({}, INT64_MAX, [&](v1::QueryEventsResponse&& event) {
    shown.push_back(event.event().process_started().pid());
    return true;
  }));
  EXPECT_THAT(shown, ::testing::UnorderedElementsAre(1, 2, 3, 4));
}

// Any order that a sender may choose, with repeats, restarts and commits of many at once.
TEST(Segments, TEL3_RandomOrdersEndInTheWholeChain) {
  for (uint32_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(StrCat("seed ", seed));
    std::mt19937 random(seed);
    Fixture f(40);
    std::vector<size_t> left(40);
    for (size_t i = 0; i < left.size(); ++i) left[i] = i + 1;
    ASSERT_EQ(f.Commit(1).verdict, Verdict::kCommitted);
    for (int rounds = 0; f.Position().acknowledged_sequence < 40; ++rounds) {
      ASSERT_LT(rounds, 5'000);
      std::vector<HostBatch> group;
      for (uint32_t i = 0; i <= random() % 4; ++i) {
        const size_t at = random() % 4 != 0 ? f.Position().acknowledged_sequence : random() % 40;
        group.push_back({f.host, f.batches[std::min<size_t>(at, 39)], random() % 2 == 0});
      }
      Must(f.box->CommitBatches(group));
      if (random() % 16 == 0) {
        f.box.Crash();
        f.box.Start();
      }
    }
    ASSERT_EQ(f.Fault(), "");
    ASSERT_EQ(f.Stored(), 40U);
  }
}

}  // namespace
}  // namespace cordon
