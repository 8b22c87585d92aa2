#include "agent/process/process_table.h"

#include <iterator>

namespace cordon::agent {

TrackedProcess* ProcessTable::Get(const platform::ProcessKey& key) {
  const auto found = processes_.find(key);
  return found == processes_.end() ? nullptr : &found->second;
}

TrackedProcess* ProcessTable::At(uint32_t pid, int64_t boottime_nanos) {
  const auto after = processes_.upper_bound({pid, boottime_nanos});
  if (after == processes_.begin()) return nullptr;
  TrackedProcess& process = std::prev(after)->second;
  return process.key.pid == pid ? &process : nullptr;
}

TrackedProcess& ProcessTable::Add(const platform::ProcessKey& key) {
  // A pid that is born anew had its end lost.
  if (TrackedProcess* const before = At(key.pid, key.start_boottime_nanos - 1);
      before != nullptr && before->end_boottime_nanos == 0) {
    End(*before, key.start_boottime_nanos);
  }
  TrackedProcess& process = processes_[key];
  process.key = key;
  return process;
}

void ProcessTable::End(TrackedProcess& process, int64_t boottime_nanos) {
  process.end_boottime_nanos = boottime_nanos;
  ended_.push_back({process.key, boottime_nanos});
  while (ended_.size() > kEndedKept || ended_.front().boottime_nanos + kEndedKeptNanos < boottime_nanos) {
    processes_.erase(ended_.front().key);
    ended_.pop_front();
  }
}

}  // namespace cordon::agent
