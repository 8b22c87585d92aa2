#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "agent/event/process_directory.h"

namespace cordon::testing {

// Knows the processes it was told of. Thread-safe.
class FakeProcessDirectory final : public agent::ProcessDirectory {
 public:
  // `pid` was this process from `since` (nanoseconds since boot) on.
  void Started(uint32_t pid, agent::ProcessRef process, int64_t since = 0) {
    const std::lock_guard lock(mutex_);
    processes_[pid][since] = std::move(process);
  }

  std::optional<agent::ProcessRef> Find(uint32_t pid, int64_t boottime_nanos) const override {
    const std::lock_guard lock(mutex_);
    const auto lives = processes_.find(pid);
    if (lives == processes_.end()) return std::nullopt;
    const auto after = lives->second.upper_bound(boottime_nanos);
    if (after == lives->second.begin()) return std::nullopt;
    return std::prev(after)->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<uint32_t, std::map<int64_t, agent::ProcessRef>> processes_;
};

}  // namespace cordon::testing
