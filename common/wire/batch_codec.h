#pragma once

// The payload of a batch: a serialised EventList, zstd-compressed.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
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
// Messages and strings in one: a command line of 32 KiB can have that many arguments, all empty.
inline constexpr size_t kMaxEventParts = 64 * 1024;

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

// OK when a serialised event, the one at `index` of its batch, is no larger than one may be, nor parsed takes
// many times its bytes (AUT-6). INVALID_ARGUMENT names it.
absl::Status CheckEvent(size_t index, std::string_view bytes);

// INVALID_ARGUMENT when `bytes` are none.
absl::Status ParseEvent(std::string_view bytes, v1::Event* event);

// Gives the events of a payload that came from outside, in order, each serialised, to be parsed one after the
// other: together they would take many times the batch's own bytes (AUT-6). An error of `callback` ends it
// and is returned. The other errors are those of DecodeEvents, before `callback` is called. Thread-safe.
using EventBytesCallback =
    std::function<absl::Status(int64_t base_time_unix_nanos, std::string_view event_bytes)>;
absl::Status ForEachEvent(std::string_view payload, uint32_t event_count, const EventBytesCallback& callback);

// All events of a payload that came from outside (AUT-6). INVALID_ARGUMENT when it is too large in any way,
// is no zstd, no EventList, or has not exactly `event_count` events. Thread-safe.
absl::StatusOr<v1::EventList> DecodeEvents(std::string_view payload, uint32_t event_count);

}  // namespace cordon
