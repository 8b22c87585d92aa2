#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/sqlite/database.h"
#include "controller/store/event_merge.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_box.h"
#include "tests/support/test_batches.h"

namespace cordon::controller {
namespace {

using testing::BatchChain;
using ::testing::ElementsAre;
using testing::Fails;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::Must;
using testing::Note;
using ::testing::SizeIs;
using testing::StartedEvent;
using testing::StoreBox;
using Verdict = BatchResult::Verdict;

constexpr int64_t kNoon = BatchChain::kNoon;

struct Fixture {
  StoreBox box;
  std::string host = box.AddHost("a");
  BatchChain chain{host};

  BatchResult Commit(const v1::Batch& batch) { return Commit(host, batch); }
  BatchResult Commit(const std::string& host_id, const v1::Batch& batch) {
    const std::vector<HostBatch> group = {{host_id, batch}};
    return Must(box->CommitBatches(group)).batches.at(0);
  }
  void CommitEvents(const std::vector<v1::Event>& events, int64_t time = kNoon,
                    v1::EventClass event_class = v1::EVENT_CLASS_PROCESS) {
    ASSERT_EQ(Commit(chain.Next(events, event_class, time)).verdict, Verdict::kCommitted);
  }
  std::vector<uint32_t> Pids(const EventQuery& query = {}) {
    std::vector<uint32_t> pids;
    Must(box->QueryEvents(query, INT64_MAX, [&](v1::QueryEventsResponse&& event) {
      pids.push_back(event.event().process_started().pid());
      return true;
    }));
    return pids;
  }
};

TEST(StoreBatches, TEL2_MoveThePositionAndARepeatIsStoredOnce) {
  Fixture f;
  EXPECT_EQ(Must(f.box->PositionOf(f.host)), (ChainPosition{"", 0, FirstPreviousHash()}));
  const v1::Batch first = f.chain.Next({StartedEvent(1), StartedEvent(2)});
  const v1::Batch second = f.chain.Next({StartedEvent(3)});
  EXPECT_EQ(f.Commit(first).verdict, Verdict::kCommitted);
  EXPECT_EQ(f.Commit(first).verdict, Verdict::kRepeat);
  EXPECT_EQ(f.Commit(second).verdict, Verdict::kCommitted);
  EXPECT_EQ(f.Commit(first).verdict, Verdict::kRepeat);
  EXPECT_EQ(Must(f.box->PositionOf(f.host)), (ChainPosition{f.chain.Id(), 3, f.chain.Hash()}));
  EXPECT_EQ(Must(f.box->GetHost(f.host)).acknowledged_sequence, 3U);
  EXPECT_THAT(f.Pids(), ElementsAre(1, 2, 3));
}

TEST(StoreBatches, TEL2_ARepeatWithinOneCommitAndAcrossARestartIsStoredOnce) {
  Fixture f;
  const v1::Batch batch = f.chain.Next({StartedEvent(1)});
  const std::vector<HostBatch> group = {{f.host, batch}, {f.host, batch}};
  const CommitResult result = Must(f.box->CommitBatches(group));
  EXPECT_EQ(result.batches.at(0).verdict, Verdict::kCommitted);
  EXPECT_EQ(result.batches.at(1).verdict, Verdict::kRepeat);
  f.box.Crash();
  f.box.Start();
  EXPECT_EQ(f.Commit(batch).verdict, Verdict::kRepeat);
  EXPECT_THAT(f.Pids(), ElementsAre(1));
}

TEST(StoreBatches, ABadOneInAGroupHurtsNoOther) {
  Fixture f;
  const std::string other = f.box.AddHost("b");
  BatchChain others(other);
  v1::Batch altered = f.chain.Next({StartedEvent(1)});
  altered.mutable_payload()->back() ^= 1;
  const std::vector<HostBatch> group = {
      {f.host, altered}, {other, others.Next({StartedEvent(7)})}, {f.host, f.chain.Next({StartedEvent(2)})}};
  const CommitResult result = Must(f.box->CommitBatches(group));
  EXPECT_EQ(result.batches[0].verdict, Verdict::kRefused);
  EXPECT_THAT(result.batches[0].reason, HasSubstr("batch 1: the payload was altered"));
  EXPECT_EQ(result.batches[1].verdict, Verdict::kCommitted);
  EXPECT_EQ(result.batches[2].verdict, Verdict::kRefused);  // its predecessor is missing
  EXPECT_THAT(f.Pids(), ElementsAre(7));
  EXPECT_EQ(Must(f.box->PositionOf(f.host)).acknowledged_sequence, 0U);
  EXPECT_THAT(Must(f.box->CommitBatches({})).batches, IsEmpty());
}

TEST(StoreBatches, OfAnUnknownOrRevokedHostAreRefused) {
  Fixture f;
  const v1::Batch batch = f.chain.Next({StartedEvent(1)});
  EXPECT_THAT(f.Commit("99999999-2222-4333-8444-555555555555", batch).reason, HasSubstr("not known"));
  ASSERT_THAT(f.box->RevokeHost(f.host, Note()), IsOk());
  EXPECT_THAT(f.Commit(batch).reason, HasSubstr("revoked"));
  EXPECT_THAT(f.Pids(), IsEmpty());
}

TEST(StoreBatches, ANewChainIsNotedAndTheOldOneHasEnded) {
  Fixture f;
  f.CommitEvents({StartedEvent(1)});
  const v1::Batch late = f.chain.Next({StartedEvent(2)});
  BatchChain fresh(f.host, 2);
  EXPECT_EQ(f.Commit(fresh.Next({StartedEvent(3)})).verdict, Verdict::kCommitted);
  EXPECT_EQ(f.box.Audit().back().action(), "telemetry.new_chain");
  EXPECT_THAT(f.box.Audit().back().detail(), HasSubstr("ended at sequence 1"));
  // An old copy of the host's state, or another machine with its key, cannot go on with the ended chain …
  EXPECT_EQ(f.Commit(late).verdict, Verdict::kRefused);
  // … nor begin it again.
  v1::Batch again = late;
  again.set_previous_hash(FirstPreviousHash());
  EXPECT_THAT(f.Commit(again).reason, HasSubstr("has ended"));
  EXPECT_EQ(f.Commit(fresh.Next({StartedEvent(4)})).verdict, Verdict::kCommitted);
}

TEST(StoreBatches, OutcomesAndReceiptsInThemTakeEffectWithThem) {
  Fixture f;
  const std::string other = f.box.AddHost("b");
  const v1::Order order = f.box.Isolate({f.host, other}, 10);
  ASSERT_THAT(f.box.Submit(order), IsOk());
  v1::Event event;
  *event.mutable_order_outcome() =
      testing::Outcome(order.order_id(), other, v1::OrderOutcome::STATE_DONE);  // in another's name: AUT-2
  v1::Event receipt;
  receipt.mutable_isolation_changed()->mutable_receipt()->set_enforced_level(v1::LEVEL_DARK);
  receipt.mutable_isolation_changed()->mutable_receipt()->set_read_back_time_unix_nanos(9);
  const std::vector<HostBatch> group = {{f.host, f.chain.Next({event, receipt}, v1::EVENT_CLASS_CONTROL)}};
  EXPECT_THAT(Must(f.box->CommitBatches(group)).changed_outcomes, SizeIs(1));
  EXPECT_EQ(f.box.OutcomeOn(order.order_id(), f.host).state(), v1::OrderOutcome::STATE_DONE);
  EXPECT_EQ(f.box.OutcomeOn(order.order_id(), other).state(), v1::OrderOutcome::STATE_PENDING);
  EXPECT_EQ(Must(f.box->GetHost(f.host)).receipt.enforced_level(), v1::LEVEL_DARK);
  EXPECT_THAT(Must(f.box->CommitBatches(group)).changed_outcomes, IsEmpty());  // a repeat changes nothing
}

TEST(StoreBatches, AUT6_ThatAnOrderRunsIsTakenOnceFromBatches) {
  Fixture f;
  const v1::Order scan = f.box.Scan({f.host}, 10);
  ASSERT_THAT(f.box.Submit(scan), IsOk());
  const auto runs = [&](uint64_t files) {
    v1::Event event;
    v1::OrderOutcome& outcome = *event.mutable_order_outcome();
    outcome = testing::Outcome(scan.order_id(), f.host, v1::OrderOutcome::STATE_RUNNING);
    outcome.mutable_progress()->set_files_done(files);
    return event;
  };
  const auto commit = [&](const std::vector<v1::Event>& events) {
    const std::vector<HostBatch> group = {{f.host, f.chain.Next(events, v1::EVENT_CLASS_CONTROL)}};
    return Must(f.box->CommitBatches(group)).changed_outcomes;
  };
  const auto stored = [&] { return f.box.OutcomeOn(scan.order_id(), f.host); };
  EXPECT_THAT(commit({runs(1), runs(2), runs(3)}), SizeIs(1));
  EXPECT_EQ(stored().progress().files_done(), 1U);
  // What was said on Control meanwhile is newer than what the spool kept.
  v1::OrderOutcome live = testing::Outcome(scan.order_id(), f.host, v1::OrderOutcome::STATE_RUNNING);
  live.mutable_progress()->set_files_done(9);
  EXPECT_THAT(Must(f.box->RecordOutcomes({&live, 1})), SizeIs(1));
  EXPECT_THAT(commit({runs(4)}), IsEmpty());
  EXPECT_EQ(stored().progress().files_done(), 9U);
  // And its end is news, also beside it in one batch.
  v1::Event done;
  *done.mutable_order_outcome() = testing::Outcome(scan.order_id(), f.host, v1::OrderOutcome::STATE_DONE);
  EXPECT_THAT(commit({runs(5), done, runs(6)}), SizeIs(1));
  EXPECT_EQ(stored().state(), v1::OrderOutcome::STATE_DONE);
}

TEST(StoreBatches, ISO7_ASpooledReceiptTakesThePlaceOfOlderOnesOnlyAndNotFromTheFuture) {
  Fixture f;
  const int64_t now = f.box.Time().WallNanos();
  const auto spooled = [&](int64_t time, v1::Level level) {
    v1::Event event;
    v1::Receipt& receipt = *event.mutable_isolation_changed()->mutable_receipt();
    receipt.set_enforced_level(level);
    receipt.set_read_back_time_unix_nanos(time);
    f.CommitEvents({event}, kNoon, v1::EVENT_CLASS_CONTROL);
    return Must(f.box->GetHost(f.host)).receipt.enforced_level();
  };
  EXPECT_EQ(spooled(now - 10, v1::LEVEL_ESSENTIAL), v1::LEVEL_ESSENTIAL);
  EXPECT_EQ(spooled(now - 20, v1::LEVEL_OBSERVE), v1::LEVEL_ESSENTIAL) << "older than the one that is there";
  EXPECT_EQ(spooled(now + testing::TestFleet::kHour, v1::LEVEL_OBSERVE), v1::LEVEL_ESSENTIAL);
  EXPECT_EQ(spooled(now + 60 * kNanosPerSecond, v1::LEVEL_DARK), v1::LEVEL_DARK) << "clocks differ a little";
}

TEST(StoreBatches, AUT6_WhatAHostCouldNotSayOnControlHasNoEffectInABatchEither) {
  Fixture f;
  const int64_t now = f.box.Time().WallNanos();
  const v1::Order order = f.box.Isolate({f.host}, 10);
  ASSERT_THAT(f.box.Submit(order), IsOk());
  const auto state = [&] { return f.box.OutcomeOn(order.order_id(), f.host).state(); };
  const auto told = [](const v1::OrderOutcome& outcome) {
    v1::Event event;
    *event.mutable_order_outcome() = outcome;
    return event;
  };
  v1::Event receipt;
  receipt.mutable_isolation_changed()->mutable_receipt()->set_enforced_level(v1::LEVEL_DARK);
  receipt.mutable_isolation_changed()->mutable_receipt()->set_read_back_time_unix_nanos(now);
  v1::Event long_receipt = receipt;
  long_receipt.mutable_isolation_changed()->mutable_receipt()->add_reasons(std::string(1024 * 1024, 'x'));
  v1::OrderOutcome done = testing::Outcome(order.order_id(), f.host, v1::OrderOutcome::STATE_DONE);
  v1::OrderOutcome long_done = done;
  long_done.set_message(std::string(1024 * 1024, 'x'));
  const v1::OrderOutcome delivered =
      testing::Outcome(order.order_id(), f.host, v1::OrderOutcome::STATE_DELIVERED);
  const size_t entries = f.box.Audit().size();

  f.CommitEvents({long_receipt, told(long_done), told(delivered)}, now, v1::EVENT_CLASS_CONTROL);
  EXPECT_EQ(Must(f.box->GetHost(f.host)).receipt.read_back_time_unix_nanos(), 0);
  EXPECT_EQ(state(), v1::OrderOutcome::STATE_PENDING);
  EXPECT_EQ(f.box.Audit().size(), entries);
  EXPECT_THAT(f.Pids(), SizeIs(3)) << "the events themselves are kept";

  f.CommitEvents({receipt, told(done)}, now, v1::EVENT_CLASS_CONTROL);  // the positive control
  EXPECT_EQ(Must(f.box->GetHost(f.host)).receipt.enforced_level(), v1::LEVEL_DARK);
  EXPECT_EQ(state(), v1::OrderOutcome::STATE_DONE);
}

TEST(StoreEvents, ComeOldestFirstAcrossBatchesThatOverlap) {
  Fixture f;
  f.CommitEvents({StartedEvent(1, 10), StartedEvent(4, 40)});
  f.CommitEvents({StartedEvent(2, 20), StartedEvent(3, 30)});
  f.CommitEvents({StartedEvent(0, 0)});
  EXPECT_THAT(f.Pids(), ElementsAre(0, 1, 2, 3, 4));
}

TEST(StoreEvents, AreChosenByTimeClassHostAndNumber) {
  Fixture f;
  f.CommitEvents({StartedEvent(1, 10), StartedEvent(2, 20), StartedEvent(3, 30)});
  f.CommitEvents({StartedEvent(4, 40)}, kNoon, v1::EVENT_CLASS_FILE);
  const std::string york = f.box.AddHost("b", "york");
  BatchChain others(york);
  ASSERT_EQ(f.Commit(york, others.Next({StartedEvent(5, 50)})).verdict, Verdict::kCommitted);
  EventQuery query;
  query.since_unix_nanos = kNoon + 20;
  query.until_unix_nanos = kNoon + 40;
  EXPECT_THAT(f.Pids(query), ElementsAre(2, 3));
  EventQuery files;
  files.classes = {v1::EVENT_CLASS_FILE};
  EXPECT_THAT(f.Pids(files), ElementsAre(4));
  EventQuery at_york;
  at_york.every_host = false;
  at_york.target.add_sites("york");
  EXPECT_THAT(f.Pids(at_york), ElementsAre(5));
  EventQuery newest;
  newest.limit = 2;
  EXPECT_THAT(f.Pids(newest), ElementsAre(4, 5));
  newest.limit = 100;
  EXPECT_THAT(f.Pids(newest), ElementsAre(1, 2, 3, 4, 5));
}

TEST(StoreEvents, CarryHostSequenceAndTime) {
  Fixture f;
  f.CommitEvents({StartedEvent(1, 10), StartedEvent(2, 20)});
  std::vector<v1::QueryEventsResponse> rows;
  ASSERT_THAT(f.box->QueryEvents({}, INT64_MAX,
                                 [&](v1::QueryEventsResponse&& row) {
                                   rows.push_back(std::move(row));
                                   return true;
                                 }),
              IsOk());
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_EQ(rows[1].host_id(), f.host);
  EXPECT_EQ(rows[1].host_name(), "a");
  EXPECT_EQ(rows[1].sequence(), 2U);
  EXPECT_EQ(rows[1].time_unix_nanos(), kNoon + 20);
  EXPECT_EQ(rows[1].event_class(), v1::EVENT_CLASS_PROCESS);
}

TEST(StoreEvents, TEL1_ABatchThatTheSpoolGaveUpIsAGap) {
  Fixture f;
  ASSERT_EQ(f.Commit(f.chain.Dropped(5, v1::Gap::CAUSE_SPOOL_FULL, kNoon, kNoon + 9)).verdict,
            Verdict::kCommitted);
  std::vector<v1::Gap> gaps;
  ASSERT_THAT(f.box->QueryEvents({}, INT64_MAX,
                                 [&](v1::QueryEventsResponse&& row) {
                                   gaps.push_back(row.event().gap());
                                   return true;
                                 }),
              IsOk());
  ASSERT_THAT(gaps, SizeIs(1));
  EXPECT_EQ(gaps[0].cause(), v1::Gap::CAUSE_SPOOL_FULL);
  EXPECT_EQ(gaps[0].count(), 5U);
  EXPECT_EQ(gaps[0].first_sequence(), 1U);
  EXPECT_EQ(gaps[0].first_time_unix_nanos(), kNoon);
  EXPECT_EQ(gaps[0].last_time_unix_nanos(), kNoon + 9);
}

TEST(StoreEvents, HistoryAndThenFollowGiveNothingTwiceAndMissNothing) {
  Fixture f;
  EXPECT_EQ(Must(f.box->NewestPosition()), 0);
  f.CommitEvents({StartedEvent(1)});
  const int64_t position = Must(f.box->NewestPosition());
  f.CommitEvents({StartedEvent(2)});
  std::vector<uint32_t> pids;
  const auto keep = [&](v1::QueryEventsResponse&& event) {
    pids.push_back(event.event().process_started().pid());
    return true;
  };
  ASSERT_THAT(f.box->QueryEvents({}, position, keep), IsOk());
  const int64_t next = Must(f.box->EventsAfter(position, {}, keep));
  EXPECT_EQ(next, Must(f.box->NewestPosition()));
  EXPECT_EQ(Must(f.box->EventsAfter(next, {}, keep)), next);
  EXPECT_THAT(pids, ElementsAre(1, 2));
}

TEST(StoreEvents, ACallerWithEnoughEndsTheQuery) {
  Fixture f;
  f.CommitEvents({StartedEvent(1), StartedEvent(2), StartedEvent(3)});
  int seen = 0;
  const auto one = [&](v1::QueryEventsResponse&&) { return ++seen < 1; };
  EXPECT_THAT(f.box->QueryEvents({}, INT64_MAX, one), IsOk());
  EXPECT_EQ(seen, 1);
  seen = 0;
  EXPECT_THAT(f.box->EventsAfter(0, {}, one), IsOk());
  EXPECT_EQ(seen, 1);
}

TEST(StoreEvents, MoreThanOnePageOfBatchesIsReadToItsEnd) {
  Fixture f;
  for (uint32_t pid = 1; pid <= 50; ++pid) f.CommitEvents({StartedEvent(pid, pid)});
  EXPECT_THAT(f.Pids(), SizeIs(50));
  EXPECT_TRUE(std::ranges::is_sorted(f.Pids()));
}

TEST(StoreEvents, TEL3_AnAlteredStoredBatchIsNamed) {
  Fixture f;
  f.CommitEvents({StartedEvent(1)});
  f.CommitEvents({StartedEvent(2)});
  f.box.Crash();
  Must(Must(Database::Open(f.box.File(), Database::Durability::kNormal))
           .Execute("UPDATE batches SET payload = x'00' WHERE first_sequence = 2"));
  f.box.Start();
  const auto all = [](v1::QueryEventsResponse&&) { return true; };
  const std::string named = StrCat("batch 2 of host ", f.host);
  EXPECT_THAT(f.box->QueryEvents({}, INT64_MAX, all), Fails(absl::StatusCode::kDataLoss, named));
  EXPECT_THAT(f.box->EventsAfter(0, {}, all), Fails(absl::StatusCode::kDataLoss, named));
}

v1::QueryEventsResponse At(int64_t time) {
  v1::QueryEventsResponse event;
  event.set_time_unix_nanos(time);
  return event;
}

TEST(StoreEvents, AQueryThatFindsNothingInMuchIsAskedWhetherItGoesOn) {
  Fixture f;
  const std::string other = f.box.AddHost("other", "york");
  BatchChain others(other);
  std::vector<HostBatch> group;
  for (int i = 0; i < 20'500; ++i) group.push_back({f.host, f.chain.Next({StartedEvent(1)})});
  group.push_back({other, others.Next({StartedEvent(7)})});
  ASSERT_THAT(f.box->CommitBatches(group), IsOk());
  int asked = 0;
  EventQuery query;
  query.every_host = false;
  query.target.add_sites("york");
  query.goes_on = [&] { return ++asked < 100; };
  EXPECT_THAT(f.Pids(query), ElementsAre(7)) << "what is behind many others is found";
  EXPECT_GE(asked, 3);
  query.limit = 2;
  EXPECT_THAT(f.Pids(query), ElementsAre(7));
  query.limit = 0;
  std::vector<uint32_t> followed;
  const auto keep = [&](v1::QueryEventsResponse&& event) {
    followed.push_back(event.event().process_started().pid());
    return true;
  };
  EXPECT_EQ(Must(f.box->EventsAfter(0, query, keep)), Must(f.box->NewestPosition()));
  EXPECT_THAT(followed, ElementsAre(7));
  query.goes_on = [] { return false; };
  EXPECT_THAT(f.Pids(query), IsEmpty());
}

TEST(EventMerge, HoldsBackUntilNothingEarlierCanCome) {
  std::vector<int64_t> times;
  EventMerge merge({.events = 10, .bytes = 1'000}, [&](v1::QueryEventsResponse&& event) {
    times.push_back(event.time_unix_nanos());
    return true;
  });
  EXPECT_TRUE(merge.Add(1, At(30)));
  EXPECT_TRUE(merge.Add(1, At(10)));
  EXPECT_TRUE(merge.ReleaseBefore(30));
  EXPECT_THAT(times, ElementsAre(10));
  EXPECT_TRUE(merge.Add(2, At(20)));
  EXPECT_TRUE(merge.ReleaseAll());
  EXPECT_THAT(times, ElementsAre(10, 20, 30));
}

TEST(EventMerge, HoldsNoMoreThanItMay) {
  std::vector<int64_t> times;
  EventMerge merge({.events = 2, .bytes = 100'000}, [&](v1::QueryEventsResponse&& event) {
    times.push_back(event.time_unix_nanos());
    return true;
  });
  for (const int64_t time : {50, 40, 30, 20}) EXPECT_TRUE(merge.Add(1, At(time)));
  EXPECT_THAT(times, ElementsAre(30, 20));  // approximate beyond the limit, and nothing lost
  EXPECT_TRUE(merge.ReleaseAll());
  EXPECT_THAT(times, ElementsAre(30, 20, 40, 50));
}

TEST(EventMerge, AUT6_HoldsNoMoreBytesThanItMay) {
  std::vector<int64_t> times;
  EventMerge merge({.events = 100, .bytes = 250'000}, [&](v1::QueryEventsResponse&& event) {
    times.push_back(event.time_unix_nanos());
    return true;
  });
  for (const int64_t time : {50, 40}) {
    v1::QueryEventsResponse event = At(time);
    event.mutable_event()->mutable_process_started()->set_cwd(std::string(100'000, 'x'));
    EXPECT_TRUE(merge.Add(1, std::move(event)));
  }
  EXPECT_THAT(times, IsEmpty());
  v1::QueryEventsResponse long_one = At(60);
  long_one.mutable_event()->mutable_process_started()->set_cwd(std::string(200'000, 'x'));
  EXPECT_TRUE(merge.Add(1, std::move(long_one)));
  EXPECT_THAT(times, ElementsAre(40, 50));
}

// Two bytes each on the wire, and some forty times that in memory.
TEST(EventMerge, AUT6_CountsWhatEventsTakeInMemory) {
  int released = 0;
  EventMerge merge({.events = 100, .bytes = 1'000'000}, [&](v1::QueryEventsResponse&&) {
    ++released;
    return true;
  });
  for (const int64_t time : {50, 40}) {
    v1::QueryEventsResponse event = At(time);
    v1::Receipt& receipt = *event.mutable_event()->mutable_isolation_changed()->mutable_receipt();
    for (int i = 0; i < 20'000; ++i) receipt.add_probes();
    EXPECT_TRUE(merge.Add(1, std::move(event)));
  }
  EXPECT_EQ(released, 2) << "each by itself has more than a megabyte";
}

}  // namespace
}  // namespace cordon::controller
