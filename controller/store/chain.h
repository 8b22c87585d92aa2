#pragma once

// The rules of a host's chain of batches (TEL-2, TEL-3). Pure.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "controller/store/records.h"
#include "cordon/v1/event.pb.h"

namespace cordon::controller {

// A batch whose fields and payload hold by themselves, with what the store needs of its content.
struct CheckedBatch {
  int64_t first_time_unix_nanos = 0;  // of its events; of its header when it was dropped
  int64_t last_time_unix_nanos = 0;
};

// INVALID_ARGUMENT names the field that is out of bounds, or says that the payload was altered or cannot be
// decoded.
absl::StatusOr<CheckedBatch> CheckBatch(const v1::Batch& batch);

// At most this many segments of a host are stored ahead of holes.
inline constexpr size_t kMaxSegmentsAhead = 16;

// Where the batch stands in the chain of which `position` is the end: after it, after a segment ahead, or,
// when it `opens_segment`, ahead of all that is missing. Where it closes a hole, its hash must be the one
// that the segment behind the hole names. On kCommitted the position is the new one, else the old one. A
// batch of another chain counts as the first of a new one; that the chain is really new, the store knows.
// `batch` has passed CheckBatch.
BatchResult JudgeBatch(std::string_view host_id, const ChainPosition& position, const v1::Batch& batch,
                       bool opens_segment = false);

}  // namespace cordon::controller
