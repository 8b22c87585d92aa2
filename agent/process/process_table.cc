#include "agent/process/process_table.h"

namespace cordon::agent {

TrackedProcess* ProcessTable::Get(const platform::ProcessKey& key) {
  TrackedProcess* const process = At(key.pid, key.start_boottime_nanos);
  return process != nullptr && process->key == key ? process : nullptr;
}

TrackedProcess* ProcessTable::At(uint32_t pid, int64_t boottime_nanos) {
  const auto found = by_pid_.find(pid);
  if (found == by_pid_.end()) return nullptr;
  for (TrackedProcess& process : found->second) {
    if (process.key.start_boottime_nanos <= boottime_nanos) return &process;
  }
  return nullptr;
}

TrackedProcess& ProcessTable::Add(const platform::ProcessKey& key) {
  // A pid that is born anew had its end lost.
  if (TrackedProcess* const before = At(key.pid, key.start_boottime_nanos - 1);
      before != nullptr && before->end_boottime_nanos == 0) {
    End(*before, key.start_boottime_nanos);
  }
  std::forward_list<TrackedProcess>& same_pid = by_pid_[key.pid];
  auto younger = same_pid.before_begin();
  for (auto next = same_pid.begin();
       next != same_pid.end() && next->key.start_boottime_nanos > key.start_boottime_nanos; ++next) {
    younger = next;
  }
  TrackedProcess& process = *same_pid.emplace_after(younger);
  process.key = key;
  return process;
}

void ProcessTable::End(TrackedProcess& process, int64_t boottime_nanos) {
  process.end_boottime_nanos = boottime_nanos;
  ended_.push_back({process.key, boottime_nanos});
  while (ended_.size() > kEndedKept || ended_.front().boottime_nanos + kEndedKeptNanos < boottime_nanos) {
    Forget(ended_.front().key);
    ended_.pop_front();
  }
}

void ProcessTable::Forget(const platform::ProcessKey& key) {
  const auto found = by_pid_.find(key.pid);
  if (found == by_pid_.end()) return;
  found->second.remove_if([&](const TrackedProcess& process) { return process.key == key; });
  if (found->second.empty()) by_pid_.erase(found);
}

}  // namespace cordon::agent
