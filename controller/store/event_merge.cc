#include "controller/store/event_merge.h"

#include <algorithm>
#include <tuple>

#include "common/base/status.h"
#include "common/crypto/digest.h"
#include "common/wire/batch_codec.h"

namespace cordon::controller {
namespace {

v1::QueryEventsResponse RowOf(const StoredBatch& stored, size_t index, int64_t time) {
  v1::QueryEventsResponse row;
  row.set_host_id(stored.host_id);
  row.set_host_name(stored.host_name);
  row.set_sequence(stored.batch.first_sequence() + index);
  row.set_time_unix_nanos(time);
  row.set_event_class(stored.batch.event_class());
  row.mutable_place()->set_batch(static_cast<uint64_t>(stored.position));
  row.mutable_place()->set_index(static_cast<uint32_t>(index));
  return row;
}

v1::QueryEventsResponse GapOf(const StoredBatch& stored) {
  const v1::Batch& batch = stored.batch;
  v1::QueryEventsResponse row = RowOf(stored, 0, stored.first_time_unix_nanos);
  v1::Gap* gap = row.mutable_event()->mutable_gap();
  gap->set_cause(batch.dropped());
  gap->set_event_class(batch.event_class());
  gap->set_count(batch.event_count());
  gap->set_first_time_unix_nanos(batch.first_time_unix_nanos());
  gap->set_last_time_unix_nanos(batch.last_time_unix_nanos());
  gap->set_first_sequence(batch.first_sequence());
  gap->set_detail("the spool gave this batch up");
  return row;
}

}  // namespace

absl::StatusOr<bool> ForEachRow(const StoredBatch& stored, const RowCallback& callback) {
  if (stored.batch.dropped() != v1::Gap::CAUSE_UNSPECIFIED) return callback(GapOf(stored));
  const auto damaged = [&](std::string_view why) {
    return absl::DataLossError(
        StrCat("batch ", stored.batch.first_sequence(), " of host ", stored.host_id, ": ", why));
  };
  if (Sha256(stored.batch.payload()) != stored.batch.payload_sha256())
    return damaged("its payload was altered");
  size_t index = 0;
  bool goes_on = true;
  const auto give = [&](int64_t base_time_unix_nanos, std::string_view bytes) -> absl::Status {
    if (!goes_on) return absl::OkStatus();
    v1::Event event;
    CORDON_RETURN_IF_ERROR(ParseEvent(bytes, &event));
    const int64_t time = base_time_unix_nanos + event.time_offset_nanos();  // checked when it was stored
    v1::QueryEventsResponse row = RowOf(stored, index++, time);
    event.clear_time_offset_nanos();  // says nothing without its batch
    *row.mutable_event() = std::move(event);
    goes_on = callback(std::move(row));
    return absl::OkStatus();
  };
  const absl::Status given = ForEachEvent(stored.batch.payload(), stored.batch.event_count(), give);
  if (!given.ok()) return damaged(Message(given));
  return goes_on;
}

bool IsAskedFor(const EventQuery& query, const v1::QueryEventsResponse& event) {
  if (event.time_unix_nanos() < query.since_unix_nanos) return false;
  if (query.until_unix_nanos != 0 && event.time_unix_nanos() >= query.until_unix_nanos) return false;
  return query.classes.empty() ||
         std::ranges::find(query.classes, event.event_class()) != query.classes.end();
}

bool EventMerge::Later::operator()(const Held& a, const Held& b) const {
  return std::tuple(a.event.time_unix_nanos(), a.position, a.event.sequence()) >
         std::tuple(b.event.time_unix_nanos(), b.position, b.event.sequence());
}

bool EventMerge::ReleaseFirst() {
  std::ranges::pop_heap(heap_, Later());
  v1::QueryEventsResponse event = std::move(heap_.back().event);
  bytes_ -= heap_.back().bytes;
  heap_.pop_back();
  return callback_(std::move(event));
}

bool EventMerge::ReleaseBefore(int64_t time) {
  while (!heap_.empty() && heap_.front().event.time_unix_nanos() < time) {
    if (!ReleaseFirst()) return false;
  }
  return true;
}

bool EventMerge::ReleaseAll() {
  while (!heap_.empty()) {
    if (!ReleaseFirst()) return false;
  }
  return true;
}

bool EventMerge::Add(int64_t position, v1::QueryEventsResponse event) {
  const size_t bytes = event.SpaceUsedLong();  // which may be many times what it has on the wire (AUT-6)
  heap_.push_back({position, bytes, std::move(event)});
  std::ranges::push_heap(heap_, Later());
  bytes_ += bytes;
  while (heap_.size() > limits_.events || bytes_ > limits_.bytes) {
    if (!ReleaseFirst()) return false;
  }
  return true;
}

}  // namespace cordon::controller
