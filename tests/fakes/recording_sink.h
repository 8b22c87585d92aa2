#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "agent/event/event_sink.h"

namespace cordon::testing {

struct RecordedEvent {
  v1::EventClass event_class;
  int64_t time_unix_nanos;
  v1::Event event;
};

// Keeps what it is given. Thread-safe.
class RecordingSink final : public agent::EventSink {
 public:
  void Emit(v1::EventClass event_class, int64_t time_unix_nanos, v1::Event event) override {
    const std::lock_guard lock(mutex_);
    events_.push_back({event_class, time_unix_nanos, std::move(event)});
    changed_.notify_all();
  }

  std::vector<RecordedEvent> Events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }

  // The same, and keeps them no more.
  std::vector<RecordedEvent> TakeEvents() {
    const std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
  }

  // True as soon as some event satisfies `wanted`; false after the time-out.
  bool WaitFor(const std::function<bool(const v1::Event&)>& wanted,
               std::chrono::milliseconds timeout = std::chrono::seconds(10)) const {
    std::unique_lock lock(mutex_);
    size_t seen = 0;
    return changed_.wait_for(lock, timeout, [&] {
      for (; seen < events_.size(); ++seen) {
        if (wanted(events_[seen].event)) return true;
      }
      return false;
    });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<RecordedEvent> events_;
};

}  // namespace cordon::testing
