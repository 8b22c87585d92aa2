#pragma once

// The payload of a batch: a serialised EventList, zstd-compressed.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cordon/v1/event.pb.h"

namespace cordon {

inline constexpr uint32_t kMaxBatchEvents = 10'000;
inline constexpr size_t kMaxPackedBytes = 1024 * 1024;
inline constexpr size_t kMaxUnpackedBytes = 8 * 1024 * 1024;
// One event: the longest is an outcome (kMaxOutcomeBytes), with room. A batch of one byte repeated is small,
// and whoever reads its events holds each of them several times over.
inline constexpr size_t kMaxEventBytes = 1280 * 1024;

// INVALID_ARGUMENT when the list is empty, has too many events or is too large, packed or unpacked, or one of
// its events is: the caller then splits it. Thread-safe.
absl::StatusOr<std::string> EncodeEvents(const v1::EventList& events);

// What the payload says that it unpacks to, without unpacking it: 0 when it says nothing, and never more than
// a batch may have.
size_t UnpackedSize(std::string_view payload);

// OK when none of the events is larger than one may be (AUT-6). INVALID_ARGUMENT names the first that is.
absl::Status CheckEventSizes(const v1::EventList& events);

// The events of a payload that came from outside (AUT-6). INVALID_ARGUMENT when it is too large in any way,
// is no zstd, no EventList, or has not exactly `event_count` events. Never uses more memory than a batch may
// have. Thread-safe.
absl::StatusOr<v1::EventList> DecodeEvents(std::string_view payload, uint32_t event_count);

}  // namespace cordon
