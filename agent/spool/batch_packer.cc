#include "agent/spool/batch_packer.h"

#include <algorithm>
#include <span>
#include <utility>

#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "common/wire/batch_codec.h"

namespace cordon::agent {
namespace {

// Half of what a batch may hold: room for what the events' framing adds.
constexpr size_t kAimBytes = kMaxUnpackedBytes / 2;

class Packer {
 public:
  void Pack(v1::EventClass event_class, std::span<const TimedEvent> events) {
    // What has no class is kept as if it mattered most; a controller takes none without.
    if (event_class == v1::EVENT_CLASS_UNSPECIFIED) event_class = v1::EVENT_CLASS_CONTROL;
    while (!events.empty()) {
      const size_t count = CountThatFits(events);
      PackOrSplit(event_class, events.first(count));
      events = events.subspan(count);
    }
  }

  std::vector<v1::Batch> Finish() && {
    const std::vector<TimedEvent> gaps = std::exchange(too_large_, {});
    Pack(v1::EVENT_CLASS_CONTROL, gaps);
    return std::move(batches_);
  }

 private:
  static size_t CountThatFits(std::span<const TimedEvent> events) {
    size_t bytes = 0;
    size_t count = 0;
    while (count < events.size() && count < kMaxBatchEvents) {
      bytes += events[count].bytes.size();
      if (count > 0 && bytes > kAimBytes) break;
      ++count;
    }
    return count;
  }

  void PackOrSplit(v1::EventClass event_class, std::span<const TimedEvent> events) {
    const auto [first, last] = std::ranges::minmax(events, {}, &TimedEvent::time_unix_nanos);
    absl::StatusOr<std::string> payload = EncodeEvents(first.time_unix_nanos, events);
    if (payload.ok()) {
      Add(event_class, events.size(), first.time_unix_nanos, last.time_unix_nanos, *std::move(payload));
    } else if (events.size() > 1) {
      PackOrSplit(event_class, events.first(events.size() / 2));
      PackOrSplit(event_class, events.subspan(events.size() / 2));
    } else {
      NoteTooLarge(event_class, events.front());
    }
  }

  void Add(v1::EventClass event_class, size_t count, int64_t first_time, int64_t last_time,
           std::string payload) {
    v1::Batch& batch = batches_.emplace_back();
    batch.set_event_count(static_cast<uint32_t>(count));
    batch.set_event_class(event_class);
    batch.set_payload_sha256(Sha256(payload));
    batch.set_payload(std::move(payload));
    batch.set_first_time_unix_nanos(first_time);
    batch.set_last_time_unix_nanos(last_time);
  }

  void NoteTooLarge(v1::EventClass event_class, const TimedEvent& timed) {
    v1::Event event;
    v1::Gap& gap = *event.mutable_gap();
    gap.set_cause(v1::Gap::CAUSE_SPOOL_FULL);
    gap.set_event_class(event_class);
    gap.set_count(1);
    gap.set_first_time_unix_nanos(timed.time_unix_nanos);
    gap.set_last_time_unix_nanos(timed.time_unix_nanos);
    gap.set_detail(StrCat("an event of ", FormatBytes(timed.bytes.size()), " is larger than a batch may be"));
    too_large_.push_back(Serialise(timed.time_unix_nanos, event));
  }

  std::vector<v1::Batch> batches_;
  std::vector<TimedEvent> too_large_;
};

}  // namespace

std::vector<v1::Batch> PackBatches(const std::vector<EventGroup>& groups) {
  Packer packer;
  for (const EventGroup& group : groups) packer.Pack(group.event_class, group.events);
  return std::move(packer).Finish();
}

}  // namespace cordon::agent
