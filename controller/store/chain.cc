#include "controller/store/chain.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

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

uint64_t LastSequence(const v1::Batch& batch) {
  return batch.first_sequence() + batch.event_count() - 1;
}

// Sequences of a batch, for people.
std::string Numbers(const v1::Batch& batch) {
  return StrCat("batch ", batch.first_sequence(), "-", LastSequence(batch));
}

BatchResult Refused(const ChainPosition& position, std::string reason) {
  return {BatchResult::Verdict::kRefused, std::move(reason), position, 0, 0};
}

// With what the stored batch that ends with `last` is part of.
BatchResult Stored(BatchResult::Verdict verdict, ChainPosition position, uint64_t last) {
  BatchResult result{verdict, "", std::move(position), 0, 0};
  result.stored_to = result.position.acknowledged_sequence;
  for (const ChainSegment& segment : result.position.ahead) {
    if (last < segment.first_sequence || last > segment.last_sequence) continue;
    result.stored_from = segment.first_sequence;
    result.stored_to = segment.last_sequence;
  }
  return result;
}

BatchResult JudgeNewChain(std::string_view host_id, const ChainPosition& position, const v1::Batch& batch) {
  if (batch.previous_hash() != FirstPreviousHash()) {
    return Refused(position, StrCat(Numbers(batch), " is of chain ", batch.chain_id(),
                                    ", of which the beginning is missing"));
  }
  return Stored(BatchResult::Verdict::kCommitted,
                {batch.chain_id(), LastSequence(batch), BatchHash(host_id, batch)}, LastSequence(batch));
}

// A repeat, or something that overlaps what is stored; nothing when its numbers are free (TEL-2).
std::optional<BatchResult> FindRepeat(const ChainPosition& position, const v1::Batch& batch) {
  const uint64_t first = batch.first_sequence();
  const uint64_t last = LastSequence(batch);
  if (last <= position.acknowledged_sequence) {
    return Stored(BatchResult::Verdict::kRepeat, position, last);
  }
  if (first <= position.acknowledged_sequence) {
    return Refused(position, StrCat(Numbers(batch), " begins inside what is stored up to ",
                                    position.acknowledged_sequence, ": batches were cut anew"));
  }
  for (const ChainSegment& segment : position.ahead) {
    if (last < segment.first_sequence || first > segment.last_sequence) continue;
    if (first >= segment.first_sequence && last <= segment.last_sequence) {
      return Stored(BatchResult::Verdict::kRepeat, position, last);
    }
    return Refused(position, StrCat(Numbers(batch), " overlaps what is stored as ", segment.first_sequence,
                                    "-", segment.last_sequence, ": batches were cut anew"));
  }
  return std::nullopt;
}

absl::Status Follows(const v1::Batch& batch, uint64_t last_sequence, std::string_view last_hash) {
  if (batch.previous_hash() == last_hash) return absl::OkStatus();
  return Bad(StrCat(Numbers(batch), " does not follow the batch that ends at ", last_sequence,
                    ": one of them was altered or exchanged"));
}

// Puts the batch behind what it follows, or opens a segment with it (TEL-3).
absl::Status Place(const v1::Batch& batch, const std::string& hash, bool opens_segment,
                   ChainPosition* position) {
  const uint64_t first = batch.first_sequence();
  uint64_t before = position->acknowledged_sequence;  // the end of what is stored before it
  if (first == before + 1) {
    CORDON_RETURN_IF_ERROR(Follows(batch, before, position->last_hash));
    position->acknowledged_sequence = LastSequence(batch);
    position->last_hash = hash;
    return absl::OkStatus();
  }
  auto behind = position->ahead.begin();
  for (; behind != position->ahead.end() && behind->last_sequence < first; ++behind) {
    before = behind->last_sequence;
    if (first != before + 1) continue;
    CORDON_RETURN_IF_ERROR(Follows(batch, before, behind->last_hash));
    behind->last_sequence = LastSequence(batch);
    behind->last_hash = hash;
    return absl::OkStatus();
  }
  if (!opens_segment) {
    return Bad(StrCat(Numbers(batch), " leaves a hole: ", before + 1, "-", first - 1, " are missing"));
  }
  if (position->ahead.size() >= kMaxSegmentsAhead) {
    return Bad(StrCat(Numbers(batch), " opens a segment, and ", kMaxSegmentsAhead, " are open already"));
  }
  position->ahead.insert(behind, {first, LastSequence(batch), batch.previous_hash(), hash});
  return absl::OkStatus();
}

absl::Status LeadsTo(const v1::Batch& batch, std::string_view hash, const ChainSegment& segment) {
  if (segment.previous_hash == hash) return absl::OkStatus();
  return Bad(StrCat(Numbers(batch), " is not the batch that the one at ", segment.first_sequence,
                    ", which is stored already, follows: one of them was altered or exchanged"));
}

// Where `batch` closed a hole, what is behind it becomes one with what is before it (TEL-3).
absl::Status JoinSegments(const v1::Batch& batch, ChainPosition* position) {
  std::vector<ChainSegment>& ahead = position->ahead;
  if (!ahead.empty() && ahead.front().first_sequence == position->acknowledged_sequence + 1) {
    CORDON_RETURN_IF_ERROR(LeadsTo(batch, position->last_hash, ahead.front()));
    position->acknowledged_sequence = ahead.front().last_sequence;
    position->last_hash = ahead.front().last_hash;
    ahead.erase(ahead.begin());
  }
  for (size_t i = 1; i < ahead.size(); ++i) {
    if (ahead[i].first_sequence != ahead[i - 1].last_sequence + 1) continue;
    CORDON_RETURN_IF_ERROR(LeadsTo(batch, ahead[i - 1].last_hash, ahead[i]));
    ahead[i - 1].last_sequence = ahead[i].last_sequence;
    ahead[i - 1].last_hash = ahead[i].last_hash;
    ahead.erase(ahead.begin() + static_cast<std::ptrdiff_t>(i));
    break;  // one batch closes one hole
  }
  return absl::OkStatus();
}

// Times are taken from the events: what a query finds must not hang on what a header claims. One event is in
// memory at a time (AUT-6).
absl::Status CheckEvents(const v1::Batch& batch, CheckedBatch* checked) {
  checked->first_time_unix_nanos = std::numeric_limits<int64_t>::max();
  checked->last_time_unix_nanos = std::numeric_limits<int64_t>::min();
  size_t index = 0;
  v1::Event event;
  const auto check = [&](int64_t base_time_unix_nanos, std::string_view bytes) -> absl::Status {
    CORDON_RETURN_IF_ERROR(CheckEvent(index++, bytes));
    CORDON_RETURN_IF_ERROR(ParseEvent(bytes, &event));
    int64_t time = 0;
    if (__builtin_add_overflow(base_time_unix_nanos, event.time_offset_nanos(), &time)) {
      return Bad("an event's time is out of range");
    }
    checked->first_time_unix_nanos = std::min(checked->first_time_unix_nanos, time);
    checked->last_time_unix_nanos = std::max(checked->last_time_unix_nanos, time);
    return absl::OkStatus();
  };
  return ForEachEvent(batch.payload(), batch.event_count(), check);
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
  CORDON_RETURN_IF_ERROR(CheckEvents(batch, &checked));
  return checked;
}

BatchResult JudgeBatch(std::string_view host_id, const ChainPosition& position, const v1::Batch& batch,
                       bool opens_segment) {
  if (batch.chain_id() != position.chain_id) return JudgeNewChain(host_id, position, batch);
  if (const std::optional<BatchResult> repeat = FindRepeat(position, batch)) return *repeat;
  const std::string hash = BatchHash(host_id, batch);
  ChainPosition next = position;
  const absl::Status placed = Place(batch, hash, opens_segment, &next);
  if (!placed.ok()) return Refused(position, std::string(Message(placed)));
  const absl::Status joined = JoinSegments(batch, &next);
  if (!joined.ok()) return Refused(position, std::string(Message(joined)));
  return Stored(BatchResult::Verdict::kCommitted, std::move(next), LastSequence(batch));
}

}  // namespace cordon::controller
