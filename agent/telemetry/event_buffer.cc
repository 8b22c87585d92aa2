#include "agent/telemetry/event_buffer.h"

#include <algorithm>
#include <utility>

namespace cordon::agent {

EventBuffer::ClassBuffer& EventBuffer::Of(v1::EventClass event_class) {
  return classes_[v1::EventClass_IsValid(event_class) ? static_cast<size_t>(event_class) : 0];
}

bool EventBuffer::HasRoom(v1::EventClass event_class, size_t event_bytes) const {
  return IsControl(event_class) ? control_bytes_ + event_bytes <= limits_.control_bytes
                                : bytes_ + event_bytes <= limits_.bytes;
}

void EventBuffer::Add(v1::EventClass event_class, TimedEvent event, size_t event_bytes) {
  Of(event_class).events.push_back(std::move(event));
  (IsControl(event_class) ? control_bytes_ : bytes_) += event_bytes;
}

void EventBuffer::CountLoss(v1::EventClass event_class, int64_t time_unix_nanos) {
  v1::Gap& gap = Of(event_class).loss;
  if (gap.count() == 0) {
    gap.set_cause(v1::Gap::CAUSE_QUEUE_FULL);
    gap.set_event_class(event_class);
    gap.set_first_time_unix_nanos(time_unix_nanos);
    gap.set_last_time_unix_nanos(time_unix_nanos);
  }
  gap.set_count(gap.count() + 1);
  gap.set_first_time_unix_nanos(std::min(gap.first_time_unix_nanos(), time_unix_nanos));
  gap.set_last_time_unix_nanos(std::max(gap.last_time_unix_nanos(), time_unix_nanos));
  ++losses_;
}

bool EventBuffer::Empty() const {
  return std::ranges::all_of(
      classes_, [](const ClassBuffer& one) { return one.events.empty() && one.loss.count() == 0; });
}

size_t EventBuffer::LargestClass() const {
  size_t largest = 0;
  for (const ClassBuffer& one : classes_) largest = std::max(largest, one.events.size());
  return largest;
}

std::vector<EventGroup> EventBuffer::Take(int64_t now_unix_nanos) {
  std::vector<TimedEvent>& control = Of(v1::EVENT_CLASS_CONTROL).events;
  for (ClassBuffer& one : classes_) {
    if (one.loss.count() == 0) continue;
    v1::Event gap;
    *gap.mutable_gap() = std::exchange(one.loss, {});
    control.push_back(Serialise(now_unix_nanos, gap));
  }
  std::vector<EventGroup> groups;
  for (size_t i = 0; i < classes_.size(); ++i) {
    if (classes_[i].events.empty()) continue;
    groups.push_back(
        {.event_class = static_cast<v1::EventClass>(i), .events = std::exchange(classes_[i].events, {})});
  }
  taken_bytes_ = bytes_;
  taken_control_bytes_ = control_bytes_;
  return groups;
}

void EventBuffer::Release() {
  bytes_ -= std::exchange(taken_bytes_, 0);
  control_bytes_ -= std::exchange(taken_control_bytes_, 0);
}

}  // namespace cordon::agent
