#include "controller/store/chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "tests/support/encode_list.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_batches.h"

namespace cordon::controller {
namespace {

using ::testing::AllOf;
using testing::BatchChain;
using testing::Fails;
using testing::Fill;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StartedEvent;
using testing::Zstd;
using Verdict = BatchResult::Verdict;

constexpr const char* kHost = "11111111-2222-4333-8444-555555555555";

struct BadBatch {
  const char* name;
  std::function<void(v1::Batch&)> spoil;
  const char* names;
};

// One byte, repeated: next to nothing on the wire.
void SetLongEvent(size_t bytes, v1::Batch* batch) {
  v1::EventList list;
  list.set_base_time_unix_nanos(BatchChain::kNoon);
  *list.add_events() = StartedEvent(1);
  *list.add_events() = StartedEvent(2);
  list.mutable_events(1)->mutable_process_started()->set_cwd(std::string(bytes, 'x'));
  const std::string unpacked = list.SerializeAsString();
  std::string packed(ZSTD_compressBound(unpacked.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), unpacked.data(), unpacked.size(), 1));
  batch->set_payload_sha256(Sha256(packed));
  batch->set_payload(std::move(packed));
}

class CheckBatchRefuses : public ::testing::TestWithParam<BadBatch> {};

TEST_P(CheckBatchRefuses, ABatchAndNamesWhatIsWrong) {
  BatchChain chain(kHost);
  v1::Batch batch = chain.Next({StartedEvent(1), StartedEvent(2)});
  ASSERT_THAT(CheckBatch(batch), IsOk());  // the positive control
  GetParam().spoil(batch);
  EXPECT_THAT(CheckBatch(batch), Fails(absl::StatusCode::kInvalidArgument, GetParam().names));
}

TEST(CheckBatch, AUT6_AnEventMayHaveTheSizeOfTheLongestOutcome) {
  BatchChain chain(kHost);
  v1::Batch batch = chain.Next({StartedEvent(1), StartedEvent(2)});
  SetLongEvent(1024 * 1024 + 64 * 1024, &batch);
  EXPECT_THAT(CheckBatch(batch), IsOk());
}

INSTANTIATE_TEST_SUITE_P(
    Fields, CheckBatchRefuses,
    ::testing::Values(
        BadBatch{"SequenceZero", [](v1::Batch& b) { b.set_first_sequence(0); }, "first_sequence is 0"},
        BadBatch{"SequenceTooFar", [](v1::Batch& b) { b.set_first_sequence(UINT64_MAX); }, "first_sequence"},
        BadBatch{"SequenceAtTheEdge",
                 [](v1::Batch& b) { b.set_first_sequence(std::numeric_limits<int64_t>::max()); },
                 "first_sequence"},
        BadBatch{"NoEvents", [](v1::Batch& b) { b.set_event_count(0); }, "event_count is 0"},
        BadBatch{"TooManyEvents", [](v1::Batch& b) { b.set_event_count(10'001); }, "event_count is 10001"},
        BadBatch{"FewerThanItSays", [](v1::Batch& b) { b.set_event_count(3); }, ""},
        BadBatch{"NoClass", [](v1::Batch& b) { b.set_event_class(v1::EVENT_CLASS_UNSPECIFIED); },
                 "event_class"},
        BadBatch{"UnknownClass", [](v1::Batch& b) { b.set_event_class(static_cast<v1::EventClass>(99)); },
                 "event_class"},
        BadBatch{"ShortPreviousHash", [](v1::Batch& b) { b.set_previous_hash("short"); }, "previous_hash"},
        BadBatch{"ShortPayloadHash", [](v1::Batch& b) { b.set_payload_sha256("short"); }, "payload_sha256"},
        BadBatch{"NoChain", [](v1::Batch& b) { b.clear_chain_id(); }, "chain_id"},
        BadBatch{"UnknownCause", [](v1::Batch& b) { b.set_dropped(static_cast<v1::Gap::Cause>(99)); },
                 "dropped"},
        BadBatch{"DroppedWithPayload", [](v1::Batch& b) { b.set_dropped(v1::Gap::CAUSE_SPOOL_FULL); },
                 "has a payload"},
        BadBatch{"AnEventOfTwoMebibytes", [](v1::Batch& b) { SetLongEvent(2 * 1024 * 1024, &b); },
                 "event 2 has 2097"},
        BadBatch{"AlteredPayload", [](v1::Batch& b) { b.mutable_payload()->back() ^= 1; }, "altered"},
        BadBatch{"PayloadOfSomethingElse",
                 [](v1::Batch& b) {
                   b.set_payload("not zstd");
                   b.set_payload_sha256(Sha256(b.payload()));
                 },
                 ""},
        BadBatch{"TimeOutOfRange",
                 [](v1::Batch& b) {
                   v1::EventList list;  // as no host makes it
                   list.set_base_time_unix_nanos(1);
                   *list.add_events() = StartedEvent(1, std::numeric_limits<int64_t>::max());
                   b.set_event_count(1);
                   b.set_payload(Zstd(list.SerializeAsString()));
                   b.set_payload_sha256(Sha256(b.payload()));
                 },
                 "time is out of range"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(CheckBatch, TakesTimesFromTheEventsAndNotFromTheHeader) {
  BatchChain chain(kHost);
  v1::Batch batch = chain.Next({StartedEvent(1, 500), StartedEvent(2, -300)}, v1::EVENT_CLASS_PROCESS, 1'000);
  batch.set_first_time_unix_nanos(7);
  batch.set_last_time_unix_nanos(8);
  const absl::StatusOr<CheckedBatch> checked = CheckBatch(batch);
  ASSERT_THAT(checked, IsOk());
  EXPECT_EQ(checked->first_time_unix_nanos, 700);
  EXPECT_EQ(checked->last_time_unix_nanos, 1'500);
}

// Next to nothing when it is packed, 140 KB unpacked, and six megabytes in memory.
TEST(CheckBatch, AUT6_AnEventOfTooManyPartsIsRefused) {
  BatchChain chain(kHost);
  v1::Event event;
  v1::Receipt& receipt = *event.mutable_isolation_changed()->mutable_receipt();
  for (int i = 0; i < 60'000; ++i) receipt.add_probes();
  EXPECT_THAT(CheckBatch(chain.Next({event}, v1::EVENT_CLASS_CONTROL)), IsOk()) << "the positive control";
  for (int i = 0; i < 10'000; ++i) receipt.add_probes();
  EXPECT_THAT(CheckBatch(chain.Next({StartedEvent(1), event}, v1::EVENT_CLASS_CONTROL)),
              Fails(absl::StatusCode::kInvalidArgument, "event 2: a message of"));
}

// An ordinary user's program may have as many: its events must not be refused, nor those beside it.
TEST(CheckBatch, ACommandLineOfNothingButEmptyArgumentsIsTaken) {
  BatchChain chain(kHost);
  v1::Event event = StartedEvent(1);
  for (int i = 0; i < 32 * 1024; ++i) event.mutable_process_started()->add_argv();
  EXPECT_THAT(CheckBatch(chain.Next({event})), IsOk());
}

TEST(CheckBatch, ADroppedOneHasTheTimesOfItsHeaderInOrder) {
  BatchChain chain(kHost);
  const absl::StatusOr<CheckedBatch> checked =
      CheckBatch(chain.Dropped(5, v1::Gap::CAUSE_SPOOL_FULL, 900, 100));
  ASSERT_THAT(checked, IsOk());
  EXPECT_EQ(checked->first_time_unix_nanos, 100);
  EXPECT_EQ(checked->last_time_unix_nanos, 900);
}

// A chain of three batches: 1-2, 3, 4.
struct Three {
  BatchChain chain{kHost};
  v1::Batch first = chain.Next({StartedEvent(1), StartedEvent(2)});
  v1::Batch second = chain.Next({StartedEvent(3)});
  v1::Batch third = chain.Next({StartedEvent(4)});

  ChainPosition After(const v1::Batch& batch) const {
    return {batch.chain_id(), batch.first_sequence() + batch.event_count() - 1, BatchHash(kHost, batch)};
  }
};

TEST(JudgeBatch, TakesWhatFollowsAndMovesOn) {
  const Three three;
  const BatchResult first = JudgeBatch(kHost, {"", 0, FirstPreviousHash()}, three.first);
  EXPECT_EQ(first.verdict, Verdict::kCommitted);
  EXPECT_EQ(first.position, three.After(three.first));
  const BatchResult second = JudgeBatch(kHost, first.position, three.second);
  EXPECT_EQ(second.verdict, Verdict::kCommitted);
  EXPECT_EQ(second.position, three.After(three.second));
}

TEST(JudgeBatch, CallsWhatIsStoredARepeatAndStaysWhereItIs) {
  const Three three;
  const BatchResult result = JudgeBatch(kHost, three.After(three.second), three.first);
  EXPECT_EQ(result.verdict, Verdict::kRepeat);
  EXPECT_EQ(result.position, three.After(three.second));
}

TEST(JudgeBatch, NamesTheHole) {
  const Three three;
  const BatchResult result = JudgeBatch(kHost, three.After(three.first), three.third);
  EXPECT_EQ(result.verdict, Verdict::kRefused);
  EXPECT_EQ(result.reason, "batch 4-4 leaves a hole: 3-3 are missing");
  EXPECT_EQ(result.position, three.After(three.first));
}

TEST(JudgeBatch, RefusesABatchThatWasCutAnew) {
  Three three;
  v1::Batch longer = three.second;
  Fill({StartedEvent(2), StartedEvent(3)}, BatchChain::kNoon, &longer);
  longer.set_first_sequence(2);
  const BatchResult result = JudgeBatch(kHost, three.After(three.first), longer);
  EXPECT_EQ(result.verdict, Verdict::kRefused);
  EXPECT_THAT(result.reason, AllOf(HasSubstr("batch 2-3"), HasSubstr("stored up to 2")));
}

TEST(JudgeBatch, RefusesWhatDoesNotNameTheOneBefore) {
  Three three;
  three.second.set_previous_hash(Sha256("another"));
  const BatchResult result = JudgeBatch(kHost, three.After(three.first), three.second);
  EXPECT_EQ(result.verdict, Verdict::kRefused);
  EXPECT_THAT(result.reason, AllOf(HasSubstr("batch 3-3"), HasSubstr("ends at 2")));
}

TEST(JudgeBatch, RefusesAnotherHostsChain) {
  const Three three;
  const BatchResult first =
      JudgeBatch("another host", {"", 0, FirstPreviousHash()}, three.first);  // the first names nobody
  EXPECT_EQ(JudgeBatch("another host", first.position, three.second).verdict, Verdict::kRefused);
}

TEST(JudgeBatch, ANewChainBeginsAtItsBeginning) {
  const Three old;
  BatchChain fresh(kHost, 100);
  const v1::Batch begin = fresh.Next({StartedEvent(100)});
  const v1::Batch later = fresh.Next({StartedEvent(101)});
  const BatchResult taken = JudgeBatch(kHost, old.After(old.third), begin);
  EXPECT_EQ(taken.verdict, Verdict::kCommitted);
  EXPECT_EQ(taken.position.chain_id, fresh.Id());
  const BatchResult refused = JudgeBatch(kHost, old.After(old.third), later);
  EXPECT_EQ(refused.verdict, Verdict::kRefused);
  EXPECT_THAT(refused.reason, AllOf(HasSubstr(fresh.Id()), HasSubstr("beginning is missing")));
}

}  // namespace
}  // namespace cordon::controller
