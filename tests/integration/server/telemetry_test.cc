// The Telemetry stream: what is acknowledged is stored, once; what breaks the chain is named (TEL-2, TEL-3).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/server_box.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_batches.h"

namespace cordon::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Fixture {
  ServerBox box;
  TestHost host = box.AddHost();
  BatchChain chain{host.id};
  std::unique_ptr<TelemetryClient> stream = host.Telemetry();
  v1::TelemetryPosition position = stream->Read().value_or(v1::TelemetryResponse()).position();

  bool Send(const v1::Batch& batch) {
    v1::TelemetryRequest request;
    *request.mutable_batch() = batch;
    return stream->Send(request);
  }
  v1::TelemetryResponse Answer(const v1::Batch& batch) {
    Send(batch);
    return stream->Read().value_or(v1::TelemetryResponse());
  }
  void Reconnect() {
    stream = host.Telemetry();
    position = stream->Read().value_or(v1::TelemetryResponse()).position();
  }
  std::vector<uint32_t> Stored() {
    std::vector<uint32_t> pids;
    Must(box.Store().QueryEvents({}, INT64_MAX, [&](v1::QueryEventsResponse&& event) {
      pids.push_back(event.event().process_started().pid());
      return true;
    }));
    return pids;
  }
};

TEST(ServerTelemetry, TEL2_TellsWhereToGoOnAndAcknowledgesWhatItStored) {
  Fixture f;
  EXPECT_EQ(f.position.chain_id(), "");
  EXPECT_EQ(f.position.acknowledged_sequence(), 0U);
  const v1::TelemetryResponse first = f.Answer(f.chain.Next({StartedEvent(1), StartedEvent(2)}));
  EXPECT_EQ(first.acknowledgement().chain_id(), f.chain.Id());
  EXPECT_EQ(first.acknowledgement().last_sequence(), 2U);
  EXPECT_THAT(f.Stored(), ElementsAre(1, 2));  // no later than the acknowledgement
  EXPECT_THAT(f.stream->HangUp(), IsOk());
  f.Reconnect();
  EXPECT_EQ(f.position.chain_id(), f.chain.Id());
  EXPECT_EQ(f.position.acknowledged_sequence(), 2U);
  EXPECT_EQ(f.position.last_hash(), f.chain.Hash());
}

TEST(ServerTelemetry, TEL2_ARepeatIsAcknowledgedAgainAndStoredOnce) {
  Fixture f;
  const v1::Batch first = f.chain.Next({StartedEvent(1)});
  const v1::Batch second = f.chain.Next({StartedEvent(2)});
  EXPECT_EQ(f.Answer(first).acknowledgement().last_sequence(), 1U);
  EXPECT_EQ(f.Answer(second).acknowledgement().last_sequence(), 2U);
  EXPECT_EQ(f.Answer(first).acknowledgement().last_sequence(), 2U);
  f.Reconnect();
  EXPECT_EQ(f.Answer(second).acknowledgement().last_sequence(), 2U);
  EXPECT_THAT(f.Stored(), ElementsAre(1, 2));
}

TEST(ServerTelemetry, TEL2_WhatIsOnItsWayWhenTheHostHangsUpIsAcknowledged) {
  Fixture f;
  for (uint32_t pid = 1; pid <= 20; ++pid) ASSERT_TRUE(f.Send(f.chain.Next({StartedEvent(pid)})));
  EXPECT_THAT(f.stream->HangUp(), IsOk());
  EXPECT_EQ(f.Stored().size(), 20U);
}

struct Fault {
  const char* name;
  // Spoils the third of three batches, of which two are stored.
  void (*spoil)(v1::Batch& batch, BatchChain& chain);
  const char* says;
};

class ServerTelemetryRefuses : public ::testing::TestWithParam<Fault> {};

TEST_P(ServerTelemetryRefuses, TEL3_ABatchByNameAndGoesOnWithTheRightOne) {
  Fixture f;
  f.Answer(f.chain.Next({StartedEvent(1)}));
  f.Answer(f.chain.Next({StartedEvent(2)}));
  const v1::Batch good = f.chain.Next({StartedEvent(3)});
  v1::Batch bad = good;
  GetParam().spoil(bad, f.chain);
  const v1::TelemetryResponse answer = f.Answer(bad);
  ASSERT_TRUE(answer.has_refused()) << answer.ShortDebugString();
  EXPECT_EQ(answer.refused().first_sequence(), bad.first_sequence());
  EXPECT_THAT(answer.refused().reason(), HasSubstr(GetParam().says));
  EXPECT_THAT(f.stream->End(), Fails(absl::StatusCode::kInvalidArgument, GetParam().says));
  EXPECT_THAT(f.Stored(), ElementsAre(1, 2));
  f.Reconnect();
  EXPECT_EQ(f.position.acknowledged_sequence(), 2U);
  EXPECT_EQ(f.Answer(good).acknowledgement().last_sequence(), 3U);  // the positive control
}

INSTANTIATE_TEST_SUITE_P(
    Faults, ServerTelemetryRefuses,
    ::testing::Values(
        Fault{"Missing", [](v1::Batch& batch, BatchChain& chain) { batch = chain.Next({StartedEvent(4)}); },
              "batch 4-4 leaves a hole: 3-3 are missing"},
        Fault{"Reordered",
              [](v1::Batch& batch, BatchChain& /*chain*/) { batch.set_previous_hash(Sha256("another")); },
              "batch 3-3 does not follow the batch that ends at 2"},
        Fault{"AlteredPayload",
              [](v1::Batch& batch, BatchChain& /*chain*/) { batch.mutable_payload()->back() ^= 1; },
              "batch 3: the payload was altered"},
        Fault{"AlteredCount", [](v1::Batch& batch, BatchChain& /*chain*/) { batch.set_event_count(2); },
              "batch 3: "},
        Fault{"Empty", [](v1::Batch& batch, BatchChain& /*chain*/) { batch = v1::Batch(); },
              "first_sequence is 0"},
        Fault{"TooManyEvents", [](v1::Batch& batch, BatchChain& /*chain*/) { batch.set_event_count(10'001); },
              "event_count is 10001"},
        Fault{"Oversize",
              [](v1::Batch& batch, BatchChain& /*chain*/) {
                batch.set_payload(std::string(kMaxPackedBytes + 1, 'x'));
                batch.set_payload_sha256(Sha256(batch.payload()));
              },
              "batch 3: "}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ServerTelemetry, AUT6_AMessageBeyondTheLimitEndsTheStreamAndStoresNothing) {
  Fixture f;
  v1::Batch batch = f.chain.Next({StartedEvent(1)});
  const v1::Batch good = batch;
  batch.set_payload(std::string(6 * 1024 * 1024, 'x'));
  f.Send(batch);
  EXPECT_THAT(f.stream->End(), Fails(absl::StatusCode::kResourceExhausted, "larger than max"));
  EXPECT_THAT(f.Stored(), IsEmpty());
  f.Reconnect();
  EXPECT_EQ(f.Answer(good).acknowledgement().last_sequence(), 1U);
}

// Two bytes each on the wire, a hundred in memory.
TEST(ServerTelemetry, AUT6_WhatStandsAroundABatchIsCountedBeforeItIsParsed) {
  Fixture f;
  const auto with_unknown = [](v1::Batch batch, int fields) {
    auto& unknown = *batch.GetReflection()->MutableUnknownFields(&batch);
    for (int i = 0; i < fields; ++i) unknown.AddLengthDelimited(99, "");
    return batch;
  };
  EXPECT_EQ(f.Answer(with_unknown(f.chain.Next({StartedEvent(1)}), 10)).acknowledgement().last_sequence(), 1U)
      << "of a newer agent";
  const v1::Batch good = f.chain.Next({StartedEvent(2)});
  f.Send(with_unknown(good, 1'000'000));
  EXPECT_THAT(f.stream->End(), Fails(absl::StatusCode::kInvalidArgument, "parts"));
  EXPECT_THAT(f.Stored(), SizeIs(1));
  f.Reconnect();
  EXPECT_EQ(f.Answer(good).acknowledgement().last_sequence(), 2U);
}

TEST(ServerTelemetry, AUT2_OneHostCannotWriteInAnothersChain) {
  Fixture f;
  const TestHost other = f.box.AddHost("other");
  const v1::Batch first = f.chain.Next({StartedEvent(1)});
  const v1::Batch second = f.chain.Next({StartedEvent(2)});
  f.Answer(first);
  const auto stream = other.Telemetry();
  ASSERT_TRUE(stream->Read().has_value());
  v1::TelemetryRequest request;
  *request.mutable_batch() = second;
  stream->Send(request);
  const auto answer = stream->Read();
  ASSERT_TRUE(answer.has_value() && answer->has_refused());
  EXPECT_EQ(f.Answer(second).acknowledgement().last_sequence(), 2U);  // its owner goes on as if nothing was
}

TEST(ServerTelemetry, AHostThatIsRevokedMeanwhileIsPutOut) {
  Fixture f;
  f.Answer(f.chain.Next({StartedEvent(1)}));
  v1::RevokeHostRequest request;
  v1::RevokeHostResponse response;
  request.set_host_id(f.host.id);
  request.set_reason("stolen");
  ASSERT_THAT(Call([&](auto* c) { return f.box.Operator().RevokeHost(c, request, &response); }), IsOk());
  EXPECT_THAT(f.stream->End(), Fails(absl::StatusCode::kPermissionDenied, "revoked"));
  const auto again = f.host.Telemetry();
  EXPECT_THAT(again->End(), Fails(absl::StatusCode::kPermissionDenied, "revoked"));
}

}  // namespace
}  // namespace cordon::testing
