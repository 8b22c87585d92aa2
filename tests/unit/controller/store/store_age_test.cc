#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/support/store_box.h"
#include "tests/support/stored_chains.h"
#include "tests/support/test_batches.h"

namespace cordon::controller {
namespace {

using testing::BatchChain;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Must;
using testing::StartedEvent;
using testing::StoreBox;

constexpr int64_t kDay = 24 * testing::TestFleet::kHour;
constexpr int64_t kKeep = 30 * kDay;
constexpr int64_t kAll = INT64_MAX;

struct Fixture {
  StoreBox box;
  std::string host = box.AddHost("a");
  BatchChain chain{host};

  BatchResult Commit(const v1::Batch& batch) {
    const std::vector<HostBatch> group = {{host, batch, false}};
    return Must(box->CommitBatches(group)).batches.at(0);
  }
  // As serve does it, until nothing is left.
  int AgeOut(int64_t up_to = kAll) {
    int steps = 1;
    while (Must(box->AgeOutEvents(kKeep, up_to))) ++steps;
    return steps;
  }
  std::vector<uint32_t> Pids() {
    std::vector<uint32_t> pids;
    Must(box->QueryEvents({}, kAll, [&](v1::QueryEventsResponse&& event) {
      pids.push_back(event.event().process_started().pid());
      return true;
    }));
    return pids;
  }
  std::string ChainFault() {
    return testing::StoredChainFault(testing::StoredRows(box.File(), host), host, chain.Id());
  }
};

TEST(StoreAge, EventsGoWhenTheyAreOlderThanTheyAreKept) {
  Fixture f;
  f.Commit(f.chain.Next({StartedEvent(1)}));
  f.AgeOut();  // from now on time counts
  f.box.Time().Advance(kDay);
  f.Commit(f.chain.Next({StartedEvent(2)}));
  f.AgeOut();
  f.box.Time().Advance(kKeep - kDay - 1);
  f.AgeOut();
  EXPECT_THAT(f.Pids(), ElementsAre(1, 2)) << "the positive control";
  f.box.Time().Advance(1);
  f.AgeOut();
  EXPECT_THAT(f.Pids(), ElementsAre(2));
  f.box.Time().Advance(kDay);
  f.AgeOut();
  EXPECT_THAT(f.Pids(), IsEmpty());
}

TEST(StoreAge, TEL3_TheChainStaysWholeAndGoesOn) {
  Fixture f;
  for (uint32_t pid = 1; pid <= 5; ++pid) f.Commit(f.chain.Next({StartedEvent(pid)}));
  f.AgeOut();
  f.box.Time().Advance(kKeep);
  f.AgeOut();
  ASSERT_THAT(f.Pids(), IsEmpty());
  EXPECT_EQ(f.Commit(f.chain.Next({StartedEvent(6)})).verdict, BatchResult::Verdict::kCommitted);
  EXPECT_EQ(f.ChainFault(), "");
  EXPECT_EQ(testing::StoredRows(f.box.File(), f.host).size(), 6U);
  EXPECT_THAT(f.Pids(), ElementsAre(6));
}

TEST(StoreAge, TEL2_WhatAgedOutIsARepeatWhenItComesAgain) {
  Fixture f;
  const v1::Batch first = f.chain.Next({StartedEvent(1)});
  f.Commit(first);
  f.AgeOut();
  f.box.Time().Advance(kKeep);
  f.AgeOut();
  EXPECT_EQ(f.Commit(first).verdict, BatchResult::Verdict::kRepeat);
  BatchChain anew(f.host);  // the host was set back to an old copy
  EXPECT_EQ(f.Commit(anew.Next({StartedEvent(1)})).verdict, BatchResult::Verdict::kCommitted);
  EXPECT_THAT(f.Pids(), IsEmpty()) << "it is kept as a header";
  EXPECT_EQ(f.Commit(anew.Next({StartedEvent(2)})).verdict, BatchResult::Verdict::kCommitted);
  EXPECT_THAT(f.Pids(), ElementsAre(2));
}

TEST(StoreAge, GapsAndWhatBecameOfOrdersStay) {
  Fixture f;
  f.Commit(f.chain.Next({StartedEvent(1)}));
  f.Commit(f.chain.Dropped(3, v1::Gap::CAUSE_SPOOL_FULL, BatchChain::kNoon, BatchChain::kNoon + 1));
  v1::Event lifecycle;
  lifecycle.mutable_agent_lifecycle()->set_state(v1::AgentLifecycle::STATE_STARTED);
  f.Commit(f.chain.Next({lifecycle}, v1::EVENT_CLASS_CONTROL));
  f.AgeOut();
  f.box.Time().Advance(kKeep);
  f.AgeOut();
  std::vector<v1::Event> events;
  Must(f.box->QueryEvents({}, kAll, [&](v1::QueryEventsResponse&& event) {
    events.push_back(event.event());
    return true;
  }));
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].has_gap() + events[1].has_gap(), 1);
  EXPECT_EQ(events[0].has_agent_lifecycle() + events[1].has_agent_lifecycle(), 1);
}

// Of what an export has not got yet nothing goes, and what goes, goes in small transactions.
TEST(StoreAge, GoesNoFurtherThanItMayAndInSmallSteps) {
  Fixture f;
  constexpr uint32_t kBatches = 600;
  std::vector<HostBatch> group;
  for (uint32_t pid = 1; pid <= kBatches; ++pid)
    group.push_back({f.host, f.chain.Next({StartedEvent(pid)}), false});
  ASSERT_THAT(f.box->CommitBatches(group), testing::IsOk());
  f.AgeOut();
  f.box.Time().Advance(kKeep);
  EXPECT_EQ(f.AgeOut(500), 8);
  EXPECT_EQ(f.Pids().size(), 100U);
  EXPECT_EQ(f.AgeOut(), 2);
  EXPECT_THAT(f.Pids(), IsEmpty());
}

// Nothing is older for a clock that was ahead; and behind a mark of the year 2040, none would be set until
// then.
TEST(StoreAge, AClockThatWasAheadAndIsSetBackTakesNothingOutAndKeepsNothingForEver) {
  Fixture f;
  const int64_t right = f.box.Time().WallNanos();
  f.Commit(f.chain.Next({StartedEvent(1)}));
  f.AgeOut();
  f.box.Time().SetWall(right + 5'000 * kDay);
  f.AgeOut();
  EXPECT_THAT(f.Pids(), ElementsAre(1));
  f.box.Time().SetWall(right);
  f.AgeOut();
  EXPECT_THAT(f.Pids(), ElementsAre(1));
  f.box.Time().Advance(kKeep - 1);
  f.AgeOut();
  EXPECT_THAT(f.Pids(), ElementsAre(1));
  f.box.Time().Advance(1);
  f.AgeOut();
  EXPECT_THAT(f.Pids(), IsEmpty());
}

// Nor for one that was behind, as after a battery ran empty.
TEST(StoreAge, AClockThatWasBehindAndIsSetRightTakesNothingOut) {
  Fixture f;
  const int64_t right = f.box.Time().WallNanos();
  f.Commit(f.chain.Next({StartedEvent(1)}));
  f.AgeOut();
  f.box.Time().SetWall(right - 5'000 * kDay);
  f.AgeOut();
  f.box.Time().SetWall(right);
  f.AgeOut();
  EXPECT_THAT(f.Pids(), ElementsAre(1));
  f.box.Time().Advance(kKeep - 1);
  f.AgeOut();
  EXPECT_THAT(f.Pids(), ElementsAre(1));
  f.box.Time().Advance(1);
  f.AgeOut();
  EXPECT_THAT(f.Pids(), IsEmpty());
}

// A batch's own times are its host's, whose clock may be years off.
TEST(StoreAge, GoesByTheControllersClock) {
  Fixture f;
  f.Commit(f.chain.Next({StartedEvent(1)}, v1::EVENT_CLASS_PROCESS, 1));  // 1970
  f.AgeOut();
  EXPECT_THAT(f.Pids(), ElementsAre(1));
}

}  // namespace
}  // namespace cordon::controller
