// What is held back for a moment: forks, and in a burst starts and ends.

#include <algorithm>
#include <utility>

#include "agent/process/process_events.h"
#include "agent/process/process_tracker.h"

namespace cordon::agent {
namespace {

constexpr int64_t kHeldNanos = kNanosPerSecond;

}  // namespace

std::optional<int64_t> ProcessTracker::Settle() {
  const std::lock_guard lock(mutex_);
  const int64_t now = clock_.BootNanos();
  SettleUntil(now - kHeldNanos);
  TellSummaries(folder_.TakeDue(now));
  std::optional<int64_t> next = folder_.NextDue();
  if (!waiting_.empty()) {
    const int64_t oldest = waiting_.front().since + kHeldNanos;
    next = std::min(next.value_or(oldest), oldest);
  }
  return next;
}

void ProcessTracker::Finish() {
  const std::lock_guard lock(mutex_);
  SettleUntil(INT64_MAX);
  TellSummaries(folder_.TakeAll());
}

// All that has waited since that moment or longer, and what waits no more in front of the rest.
void ProcessTracker::SettleUntil(int64_t began_before) {
  while (!waiting_.empty() && (waiting_.front().since <= began_before || !StillWaits(waiting_.front()))) {
    const Waiting oldest = waiting_.front();
    waiting_.pop_front();
    if (StillWaits(oldest)) SettleOne(oldest.process);
  }
}

// False when it was announced, or waits since a later moment, which stands further back.
bool ProcessTracker::StillWaits(const Waiting& waiting) const {
  const TrackedProcess* const process = table_.Get(waiting.process);
  if (process == nullptr || process->announced) return false;
  const auto held = held_.find(waiting.process);
  if (held == held_.end()) return waiting.since == process->forked_boottime_nanos;
  return waiting.since == std::max(held->second.exec_boottime_nanos, held->second.exit_boottime_nanos);
}

void ProcessTracker::SettleOne(const platform::ProcessKey& key) {
  TrackedProcess& process = *table_.Get(key);
  const auto held = held_.find(key);
  if (held == held_.end() || !held->second.exit) return Announce(process);
  const Held ended = std::move(held->second);
  held_.erase(held);
  Fold(process, ended);
  process.announced = process.folded = true;
}

void ProcessTracker::Fold(const TrackedProcess& process, const Held& held) {
  FoldedProcess folded{.program = held.exec ? held.exec->executable : "",
                       .failed = held.exit->exit_code != 0 || held.exit->signal != 0,
                       .cpu_nanos = held.exit->cpu_nanos,
                       .begin_boottime_nanos = process.forked_boottime_nanos,
                       .end_boottime_nanos = held.exit_boottime_nanos,
                       .parent_guid = ""};
  if (const TrackedProcess* const parent = table_.Get(process.parent);
      parent != nullptr && parent->announced && !parent->folded) {
    folded.parent_guid = parent->Guid();
  }
  folder_.Fold(held.group, folded);
}

bool ProcessTracker::HoldStart(TrackedProcess& process, int64_t boottime, platform::RawExec& exec) {
  if (settings_.fold_over == 0) return false;
  const BurstGroup group = GroupOf(process);
  const bool may_fold = folder_.MayFold(group, exec.executable, boottime);
  // A program without a file, and one that runs already, are always told.
  if (!may_fold || process.announced || exec.from_memory || exec.from_snapshot) return false;
  // A parent that has ended may be folded before this process is told, and then it would name nobody.
  const TrackedProcess* const parent = table_.Get(process.parent);
  if (parent == nullptr || parent->end_boottime_nanos != 0) return false;
  Hold(process, boottime,
       {.group = group, .exec = std::move(exec), .exit = {}, .exec_boottime_nanos = boottime});
  return true;
}

bool ProcessTracker::HoldEnd(TrackedProcess& process, int64_t boottime, const platform::RawExit& exit) {
  if (settings_.fold_over == 0 || process.announced) return false;
  if (const auto held = held_.find(process.key); held != held_.end()) {
    held->second.exit = exit;
    held->second.exit_boottime_nanos = boottime;
    waiting_.push_back({process.key, boottime});
    return true;
  }
  TakeParentsProgram(process);
  const BurstGroup group = GroupOf(process);
  if (!folder_.MayFold(group, process.executable, boottime)) return false;
  Hold(process, boottime, {.group = group, .exec = {}, .exit = exit, .exit_boottime_nanos = boottime});
  return true;
}

void ProcessTracker::Hold(const TrackedProcess& process, int64_t since, Held held) {
  held_.insert_or_assign(process.key, std::move(held));
  waiting_.push_back({process.key, since});
  // Bounded: then the oldest are settled before their time. This one is held by now, so that what it waited
  // for before does not tell it too early.
  while (held_.size() > kMostHeld && !waiting_.empty()) SettleUntil(waiting_.front().since);
}

BurstGroup ProcessTracker::GroupOf(const TrackedProcess& process) const {
  const TrackedProcess* const parent = table_.Get(process.parent);
  return {.cgroup = process.cgroup != nullptr ? *process.cgroup : "",
          .parent_program = parent != nullptr ? parent->executable : ""};
}

void ProcessTracker::TellSummaries(const std::vector<BurstSummary>& summaries) const {
  const int64_t offset = clock_.WallNanos() - clock_.BootNanos();
  for (const BurstSummary& summary : summaries) {
    Emit(v1::EVENT_CLASS_PROCESS, summary.last_boottime_nanos, BurstEvent(summary, offset));
  }
}

}  // namespace cordon::agent
