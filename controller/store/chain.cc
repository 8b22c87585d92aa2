#include "controller/store/chain.h"

#include <algorithm>
#include <limits>

#include "common/base/status.h"
#include "common/base/uuid.h"
#include "common/crypto/digest.h"
#include "common/wire/batch_codec.h"
#include "common/wire/batch_hash.h"

namespace cordon::controller {
namespace {

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(std::string(what));
}

absl::Status CheckHeader(const v1::Batch& batch) {
  if (batch.first_sequence() == 0) return Bad("first_sequence is 0");
  if (batch.first_sequence() > uint64_t{std::numeric_limits<int64_t>::max()} - kMaxBatchEvents) {
    return Bad("first_sequence is out of range");
  }
  if (batch.event_count() == 0 || batch.event_count() > kMaxBatchEvents) {
    return Bad(StrCat("event_count is ", batch.event_count(), "; 1 to ", kMaxBatchEvents, " are allowed"));
  }
  if (batch.event_class() < v1::EVENT_CLASS_PROCESS || batch.event_class() > v1::EVENT_CLASS_CONTROL) {
    return Bad("event_class is not known");
  }
  if (batch.previous_hash().size() != kSha256Bytes) return Bad("previous_hash is not 32 bytes");
  if (batch.payload_sha256().size() != kSha256Bytes) return Bad("payload_sha256 is not 32 bytes");
  if (!IsUuid(batch.chain_id())) return Bad("chain_id is not a UUID");
  if (batch.dropped() != v1::Gap::CAUSE_UNSPECIFIED && !v1::Gap::Cause_IsValid(batch.dropped())) {
    return Bad("the cause in `dropped` is not known");
  }
  return absl::OkStatus();
}

// Sequences of a batch, for people.
std::string Numbers(const v1::Batch& batch) {
  return StrCat("batch ", batch.first_sequence(), "-", batch.first_sequence() + batch.event_count() - 1);
}

BatchResult Refused(const ChainPosition& position, std::string reason) {
  return {BatchResult::Verdict::kRefused, std::move(reason), position};
}

}  // namespace

absl::StatusOr<CheckedBatch> CheckBatch(const v1::Batch& batch) {
  CORDON_RETURN_IF_ERROR(CheckHeader(batch));
  CheckedBatch checked;
  if (batch.dropped() != v1::Gap::CAUSE_UNSPECIFIED) {
    if (!batch.payload().empty()) return Bad("a dropped batch has a payload");
    checked.first_time_unix_nanos = std::min(batch.first_time_unix_nanos(), batch.last_time_unix_nanos());
    checked.last_time_unix_nanos = std::max(batch.first_time_unix_nanos(), batch.last_time_unix_nanos());
    return checked;
  }
  if (Sha256(batch.payload()) != batch.payload_sha256())
    return Bad("the payload was altered: its hash does not fit");
  CORDON_ASSIGN_OR_RETURN(v1::EventList events, DecodeEvents(batch.payload(), batch.event_count()));
  // Times are taken from the events: what a query finds must not hang on what a header claims.
  int64_t first = std::numeric_limits<int64_t>::max();
  int64_t last = std::numeric_limits<int64_t>::min();
  for (const v1::Event& event : events.events()) {
    int64_t time = 0;
    if (__builtin_add_overflow(events.base_time_unix_nanos(), event.time_offset_nanos(), &time)) {
      return Bad("an event's time is out of range");
    }
    first = std::min(first, time);
    last = std::max(last, time);
  }
  checked.first_time_unix_nanos = first;
  checked.last_time_unix_nanos = last;
  if (batch.event_class() == v1::EVENT_CLASS_CONTROL) checked.control_events = std::move(events);
  return checked;
}

BatchResult JudgeBatch(std::string_view host_id, const ChainPosition& position, const v1::Batch& batch) {
  const uint64_t first = batch.first_sequence();
  const uint64_t last = first + batch.event_count() - 1;
  const bool same_chain = batch.chain_id() == position.chain_id;
  if (same_chain && last <= position.acknowledged_sequence) {
    return {BatchResult::Verdict::kRepeat, "", position};
  }
  if (same_chain && first <= position.acknowledged_sequence) {
    return Refused(position, StrCat(Numbers(batch), " begins inside what is stored up to ",
                                    position.acknowledged_sequence, ": batches were cut anew"));
  }
  if (same_chain && first > position.acknowledged_sequence + 1) {
    return Refused(position, StrCat(Numbers(batch), " leaves a hole: ", position.acknowledged_sequence + 1,
                                    "-", first - 1, " are missing"));
  }
  if (same_chain && batch.previous_hash() != position.last_hash) {
    return Refused(position,
                   StrCat(Numbers(batch), " does not follow the batch that ends at ",
                          position.acknowledged_sequence, ": one of them was altered or exchanged"));
  }
  if (!same_chain && batch.previous_hash() != FirstPreviousHash()) {
    return Refused(position, StrCat(Numbers(batch), " is of chain ", batch.chain_id(),
                                    ", of which the beginning is missing"));
  }
  return {BatchResult::Verdict::kCommitted, "", {batch.chain_id(), last, BatchHash(host_id, batch)}};
}

}  // namespace cordon::controller
