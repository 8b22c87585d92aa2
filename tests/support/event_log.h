#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "platform/api/file_source.h"

namespace cordon::testing {

// Keeps the raw file events it is given and waits for the one a test wants. Thread-safe.
class EventLog {
 public:
  using Event = platform::RawFileEvent;

  std::function<void(std::span<Event>)> Deliver() {
    return [this](std::span<Event> events) {
      const std::lock_guard lock(mutex_);
      events_.insert(events_.end(), events.begin(), events.end());
      changed_.notify_all();
    };
  }

  bool WaitFor(const std::function<bool(const Event&)>& wanted,
               std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return std::ranges::any_of(events_, wanted); });
  }

  bool WaitFor(Event::Kind kind, const std::filesystem::path& path) {
    return WaitFor([&](const Event& event) { return event.kind == kind && event.path == path; });
  }

  bool WaitForMoreThan(size_t count, std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return events_.size() > count; });
  }

  bool Has(const std::function<bool(const Event&)>& wanted) {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(events_, wanted);
  }

  std::vector<Event> Events() {
    const std::lock_guard lock(mutex_);
    return events_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
};

}  // namespace cordon::testing
