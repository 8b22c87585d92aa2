#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "platform/api/process_source.h"

namespace cordon::testing {

// Keeps what a process source delivers. Thread-safe.
class ProcessRecorder {
 public:
  void Take(std::span<platform::RawProcessEvent> events) {
    const std::lock_guard lock(mutex_);
    events_.insert(events_.end(), events.begin(), events.end());
    changed_.notify_all();
  }

  std::vector<platform::RawProcessEvent> Events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }

  // The facts of one kind of one pid, in order.
  template <typename Fact>
  std::vector<Fact> Of(uint32_t pid) const {
    std::vector<Fact> facts;
    for (const platform::RawProcessEvent& event : Events()) {
      const auto* fact = std::get_if<Fact>(&event.fact);
      if (fact != nullptr && PidOf(*fact) == pid) facts.push_back(*fact);
    }
    return facts;
  }

  // True as soon as the end of that process was delivered; false after ten seconds.
  bool WaitForEndOf(uint32_t pid) const {
    std::unique_lock lock(mutex_);
    size_t seen = 0;
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] {
      for (; seen < events_.size(); ++seen) {
        const auto* exit = std::get_if<platform::RawExit>(&events_[seen].fact);
        if (exit != nullptr && exit->process.pid == pid) return true;
      }
      return false;
    });
  }

 private:
  static uint32_t PidOf(const platform::RawFork& fork) { return fork.child.pid; }
  static uint32_t PidOf(const platform::RawExec& exec) { return exec.process.pid; }
  static uint32_t PidOf(const platform::RawExit& exit) { return exit.process.pid; }
  static uint32_t PidOf(const platform::RawPrivilegeChange& change) { return change.process.pid; }
  static uint32_t PidOf(const platform::RawTrace& trace) { return trace.target.pid; }

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<platform::RawProcessEvent> events_;
};

}  // namespace cordon::testing
