#include "agent/process/process_tracker.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>
#include <variant>
#include <vector>

#include "agent/event/process_guid.h"
#include "agent/process/process_events.h"
#include "common/base/strings.h"

namespace cordon::agent {
namespace {

constexpr int64_t kForkFoldedNanos = kNanosPerSecond;
constexpr int kMostUnannouncedParents = 64;
constexpr std::chrono::milliseconds kLockPatience{200};

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace

ProcessTracker::ProcessTracker(EventSink& sink, const Clock& clock, std::string host_id, std::string boot_id,
                               uint32_t agent_pid)
    : sink_(sink),
      clock_(clock),
      host_id_(std::move(host_id)),
      boot_id_(std::move(boot_id)),
      agent_pid_(agent_pid) {}

void ProcessTracker::Handle(std::span<platform::RawProcessEvent> events) {
  const std::lock_guard lock(mutex_);
  for (platform::RawProcessEvent& event : events) {
    std::visit(
        Overloaded{[&](const platform::RawFork& fork) { OnFork(event.boottime_nanos, fork); },
                   [&](platform::RawExec& exec) { OnExec(event.boottime_nanos, exec); },
                   [&](const platform::RawExit& exit) { OnExit(event.boottime_nanos, exit); },
                   [&](const platform::RawPrivilegeChange& change) {
                     OnPrivilegeChange(event.boottime_nanos, change);
                   },
                   [&](const platform::RawTrace& trace) { OnTrace(event.boottime_nanos, trace); },
                   [&](const platform::RawModuleLoad& load) { OnModuleLoad(event.boottime_nanos, load); },
                   [&](const platform::RawLoss& loss) { OnLoss(loss); }},
        event.fact);
  }
}

void ProcessTracker::OnFork(int64_t boottime, const platform::RawFork& fork) {
  if (table_.Get(fork.child) != nullptr) return;
  TrackedProcess& child = Learn(fork.child, fork.parent, boottime);
  child.seen |= kSawFork;
  if (const TrackedProcess* const parent = table_.Get(fork.parent); parent != nullptr) {
    child.ids_known = parent->ids_known;
    child.uid = parent->uid;
    child.gid = parent->gid;
  }
  pending_.push_back({fork.child, boottime});
}

void ProcessTracker::OnExec(int64_t boottime, platform::RawExec& exec) {
  TrackedProcess& process = Learn(exec.process, exec.parent, boottime);
  if (!process.ids_known) {  // else what it inherited, and what it changed, is known better
    process.ids_known = true;
    process.uid = exec.uid;
    process.gid = exec.gid;
  }
  process.seen |= kSawExec;
  AnnounceParent(process);
  process.exec_boottime_nanos = boottime;
  process.executable = exec.executable;
  process.announced = true;
  Emit(v1::EVENT_CLASS_PROCESS, boottime, StartedEvent(process, ParentGuidOf(process), std::move(exec)));
}

void ProcessTracker::OnExit(int64_t boottime, const platform::RawExit& exit) {
  TrackedProcess& process = Learn(exit.process, {}, boottime);
  if (process.end_boottime_nanos != 0) return;  // said twice: see the source's on_exit
  process.seen |= kSawEnd;
  Announce(process);
  Emit(v1::EVENT_CLASS_PROCESS, boottime, EndedEvent(process, exit));
  table_.End(process, std::max<int64_t>(boottime, 1));
}

void ProcessTracker::OnPrivilegeChange(int64_t boottime, const platform::RawPrivilegeChange& change) {
  TrackedProcess* const process = Named(change.process, boottime);
  platform::Privileges before = change.before;
  platform::Privileges after = change.after;
  const bool known = process != nullptr && process->ids_known;
  if (!before.uid) before.uid = known ? process->uid : after.uid;
  if (!before.gid) before.gid = known ? process->gid : after.gid;
  if (!after.uid) after.uid = before.uid;
  if (!after.gid) after.gid = before.gid;
  if (process != nullptr) {
    process->seen |= kSawPrivilegeChange;
    process->uid = *after.uid;
    process->gid = *after.gid;
    const std::string change_in_words =
        StrCat(*before.uid, ">", *after.uid, " ", *before.gid, ">", *after.gid, " ",
               before.capabilities.value_or(0), ">", after.capabilities.value_or(0));
    if (IsAgentsOwnCode(*process)) return;
    if (before == after || !process->told.IsNews(change_in_words, boottime)) return;
  }
  Emit(v1::EVENT_CLASS_PROCESS, boottime,
       PrivilegeChangedEvent(AnnouncedGuid(process), change.process.pid, before, after));
}

void ProcessTracker::OnTrace(int64_t boottime, const platform::RawTrace& trace) {
  TrackedProcess* const target = Named(trace.target, boottime);
  TrackedProcess* const tracer = Named(trace.tracer, boottime);
  if (target != nullptr) target->seen |= kSawTrace;
  if (target != nullptr && trace.tracer.pid == agent_pid_ && IsAgentsOwnCode(*target)) return;
  const std::string target_guid = AnnouncedGuid(target);
  // A debugger takes each thread of its target by itself.
  if (tracer != nullptr && !tracer->told.IsNews(StrCat("traces ", target_guid), boottime)) return;
  Emit(v1::EVENT_CLASS_PROCESS, boottime, TracedEvent(AnnouncedGuid(tracer), target_guid, trace));
}

void ProcessTracker::OnModuleLoad(int64_t boottime, const platform::RawModuleLoad& load) {
  TrackedProcess* const process = Named(load.process, boottime);
  Emit(v1::EVENT_CLASS_PROCESS, boottime, ModuleLoadedEvent(AnnouncedGuid(process), load));
}

// TEL-1: what the kernel could not keep becomes a gap that says how much and when.
void ProcessTracker::OnLoss(const platform::RawLoss& loss) {
  lost_ += std::max<uint64_t>(loss.count, 1);
  Emit(v1::EVENT_CLASS_CONTROL, loss.last_boottime_nanos,
       LossEvent(loss, clock_.WallNanos() - clock_.BootNanos()));
}

bool ProcessTracker::IsAgentsOwnCode(const TrackedProcess& process) const {
  return process.parent.pid == agent_pid_ && process.exec_boottime_nanos == 0;
}

// nullptr when it is not known.
TrackedProcess* ProcessTracker::Named(const platform::ProcessKey& process, int64_t boottime) const {
  return process.start_boottime_nanos != 0 ? table_.Get(process) : table_.At(process.pid, boottime);
}

std::string ProcessTracker::AnnouncedGuid(TrackedProcess* process) const {
  if (process == nullptr) return "";
  Announce(*process);
  return process->Guid();
}

std::optional<int64_t> ProcessTracker::AnnounceOverdueForks() {
  const std::lock_guard lock(mutex_);
  const int64_t now = clock_.BootNanos();
  while (!pending_.empty()) {
    const PendingFork& oldest = pending_.front();
    TrackedProcess* process = table_.Get(oldest.process);
    const bool waits = process != nullptr && !process->announced;
    if (waits && oldest.boottime_nanos + kForkFoldedNanos > now)
      return oldest.boottime_nanos + kForkFoldedNanos;
    if (waits) Announce(*process);
    pending_.pop_front();
  }
  return std::nullopt;
}

std::optional<ProcessRef> ProcessTracker::Find(uint32_t pid, int64_t boottime_nanos) const {
  const std::lock_guard lock(mutex_);
  TrackedProcess* process = table_.At(pid, boottime_nanos);
  if (process == nullptr) return std::nullopt;
  Announce(*process);
  return ProcessRef{.guid = process->Guid(),
                    .executable = process->executable,
                    .uid = process->uid,
                    .parent_guid = ParentGuidOf(*process)};
}

std::optional<uint8_t> ProcessTracker::SeenOf(uint32_t pid, int64_t since_boottime_nanos) const {
  const std::unique_lock lock(mutex_, kLockPatience);
  if (!lock) return std::nullopt;
  const TrackedProcess* process = table_.At(pid, INT64_MAX);
  return process != nullptr && process->forked_boottime_nanos >= since_boottime_nanos ? process->seen : 0;
}

TrackedProcess& ProcessTracker::Learn(const platform::ProcessKey& key, const platform::ProcessKey& parent,
                                      int64_t boottime) {
  TrackedProcess* known = table_.Get(key);
  if (known == nullptr) {
    known = &table_.Add(key);
    const std::string guid = GuidOf(key);
    std::memcpy(known->guid.data(), guid.data(), known->guid.size());
    known->forked_boottime_nanos = boottime;
  }
  // The parent stays the one that made it, also when that one has ended and init has taken the child.
  if (known->parent.pid == 0) known->parent = parent;
  return *known;
}

void ProcessTracker::Announce(TrackedProcess& process) const {
  if (process.announced) return;
  AnnounceParent(process);
  AnnounceFork(process);
}

// From the oldest ancestor that is not announced down to the parent.
void ProcessTracker::AnnounceParent(const TrackedProcess& process) const {
  std::vector<TrackedProcess*> silent;
  for (TrackedProcess* parent = table_.Get(process.parent);
       parent != nullptr && !parent->announced && silent.size() < kMostUnannouncedParents;
       parent = table_.Get(parent->parent)) {
    silent.push_back(parent);
    if (parent->parent == parent->key) break;
  }
  for (auto parent = silent.rbegin(); parent != silent.rend(); ++parent) AnnounceFork(**parent);
}

void ProcessTracker::AnnounceFork(TrackedProcess& process) const {
  process.announced = true;
  // It runs its parent's program.
  if (const TrackedProcess* parent = table_.Get(process.parent);
      parent != nullptr && process.executable.empty()) {
    process.executable = parent->executable;
  }
  Emit(v1::EVENT_CLASS_PROCESS, process.forked_boottime_nanos, ForkedEvent(process, ParentGuidOf(process)));
}

std::string ProcessTracker::ParentGuidOf(const TrackedProcess& process) const {
  return process.parent.pid == 0 ? "" : GuidOf(process.parent);
}

std::string ProcessTracker::GuidOf(const platform::ProcessKey& key) const {
  if (const TrackedProcess* known = table_.Get(key);
      known != nullptr && known->guid != decltype(known->guid){}) {
    return known->Guid();
  }
  return ProcessGuid(host_id_, boot_id_, key);
}

void ProcessTracker::Emit(v1::EventClass event_class, int64_t boottime, v1::Event event) const {
  sink_.Emit(event_class, boottime + clock_.WallNanos() - clock_.BootNanos(), std::move(event));
}

}  // namespace cordon::agent
