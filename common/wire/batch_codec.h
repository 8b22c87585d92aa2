#pragma once

// The payload of a batch: a serialised EventList, zstd-compressed.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <span>
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

// An event that waits for its batch: when it happened by the host's wall clock, and the serialised v1::Event
// without its offset. Serialised at once, because an event in pieces costs a dozen allocations, which one
// thread would make and another one give back.
struct TimedEvent {
  int64_t time_unix_nanos = 0;  // not negative
  std::string bytes;
};
TimedEvent Serialise(int64_t time_unix_nanos, const v1::Event& event);

// The payload that holds these events, their times as offsets to `base_time_unix_nanos`. INVALID_ARGUMENT
// when there is none, when there are too many or they are too large, packed or unpacked, or one of them is:
// the caller then splits them. Thread-safe.
absl::StatusOr<std::string> EncodeEvents(int64_t base_time_unix_nanos, std::span<const TimedEvent> events);

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
