#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "agent/spool/spool.h"
#include "cordon/v1/event.pb.h"

namespace cordon::agent {

// Events that wait to be written, per class, bounded in bytes; what does not fit is counted and comes out as
// gap events (TEL-1). Not thread-safe.
class EventBuffer {
 public:
  struct Limits {
    size_t bytes = 0;          // all classes but CONTROL together
    size_t control_bytes = 0;  // class CONTROL
  };
  explicit EventBuffer(Limits limits) : limits_(limits) {}

  bool HasRoom(v1::EventClass event_class, size_t event_bytes) const;
  void Add(v1::EventClass event_class, TimedEvent event, size_t event_bytes);
  void CountLoss(v1::EventClass event_class, int64_t time_unix_nanos);

  bool Empty() const;
  size_t LargestClass() const;  // events of the class that has most
  uint64_t Losses() const { return losses_; }

  // All of it, losses as gap events of class CONTROL last, CONTROL last so that it stands after what it
  // speaks of. The bytes count against the limits until Release.
  std::vector<EventGroup> Take(int64_t now_unix_nanos);
  // What was taken is on disk.
  void Release();

 private:
  struct ClassBuffer {
    std::vector<TimedEvent> events;
    v1::Gap loss;  // count 0 = none
  };
  bool IsControl(v1::EventClass event_class) const { return event_class == v1::EVENT_CLASS_CONTROL; }
  ClassBuffer& Of(v1::EventClass event_class);

  const Limits limits_;
  std::array<ClassBuffer, v1::EventClass_ARRAYSIZE> classes_;
  size_t bytes_ = 0;
  size_t control_bytes_ = 0;
  size_t taken_bytes_ = 0;
  size_t taken_control_bytes_ = 0;
  uint64_t losses_ = 0;
};

}  // namespace cordon::agent
