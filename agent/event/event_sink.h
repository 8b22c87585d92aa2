#pragma once

#include <cstdint>

#include "cordon/v1/event.pb.h"

namespace cordon::agent {

// Where sensors and other modules put what they observed. Thread-safe; may block for a short time when the
// spool is behind, and turns what it cannot take into a gap event (TEL-1): nothing given here is lost
// silently.
class EventSink {
 public:
  virtual ~EventSink() = default;

  // `time_unix_nanos`: when it happened, by the host's wall clock. The event's own time_offset_nanos is set
  // later.
  virtual void Emit(v1::EventClass event_class, int64_t time_unix_nanos, v1::Event event) = 0;
};

}  // namespace cordon::agent
