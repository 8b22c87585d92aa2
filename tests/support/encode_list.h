#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "common/wire/batch_codec.h"

namespace cordon::testing {

// The payload of a list as tests make it, offsets and all.
inline absl::StatusOr<std::string> EncodeList(const v1::EventList& list) {
  std::vector<TimedEvent> events;
  for (v1::Event event : list.events()) {
    const int64_t time = list.base_time_unix_nanos() + event.time_offset_nanos();
    event.clear_time_offset_nanos();
    events.push_back(Serialise(time, event));
  }
  return EncodeEvents(list.base_time_unix_nanos(), events);
}

}  // namespace cordon::testing
