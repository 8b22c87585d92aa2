#pragma once

// What the queue says itself, as events.

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "agent/spool/spool.h"
#include "cordon/v1/event.pb.h"

namespace cordon::agent {

inline uint64_t LastSequence(const v1::Batch& batch) {
  return batch.first_sequence() + batch.event_count() - 1;
}

inline EventGroup ControlGroup(int64_t now, v1::Gap gap) {
  EventGroup group{.event_class = v1::EVENT_CLASS_CONTROL, .events = {}};
  v1::Event event;
  *event.mutable_gap() = std::move(gap);
  group.events.push_back(Serialise(now, event));
  return group;
}

inline v1::Gap UnknownGap(v1::Gap::Cause cause, int64_t first, int64_t last, std::string detail) {
  v1::Gap gap;
  gap.set_cause(cause);
  gap.set_count_unknown(true);
  gap.set_first_time_unix_nanos(std::min(first, last));
  gap.set_last_time_unix_nanos(last);
  gap.set_detail(std::move(detail));
  return gap;
}

}  // namespace cordon::agent
