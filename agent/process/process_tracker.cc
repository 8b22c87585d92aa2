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

constexpr int kMostUnannouncedParents = 64;
constexpr std::chrono::milliseconds kLockPatience{200};

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace

ProcessTracker::ProcessTracker(EventSink& sink, const Clock& clock, std::string host_id, std::string boot_id,
                               Settings settings)
    : sink_(sink),
      clock_(clock),
      host_id_(std::move(host_id)),
      boot_id_(std::move(boot_id)),
      settings_(settings),
      folder_(settings.fold_over) {}

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
  TrackedProcess& child = Add(fork.child, fork.parent, boottime);
  child.seen |= kSawFork;
  if (const TrackedProcess* const parent = table_.Get(fork.parent); parent != nullptr) {
    child.ids_known = parent->ids_known;
    child.uid = parent->uid;
    child.gid = parent->gid;
    child.cgroup = parent->cgroup;
  }
  waiting_.push_back({fork.child, boottime});
}

void ProcessTracker::OnExec(int64_t boottime, platform::RawExec& exec) {
  TrackedProcess& process = Learn(exec.process, exec.parent, boottime);
  if (!process.ids_known) {  // else what it inherited, and what it changed, is known better
    process.ids_known = true;
    process.uid = exec.uid;
    process.gid = exec.gid;
  }
  process.seen |= kSawExec;
  if (held_.contains(process.key)) Announce(process);  // its earlier program
  process.exec_boottime_nanos = boottime;
  process.executable = exec.executable;
  if (process.cgroup == nullptr || *process.cgroup != exec.cgroup) {
    process.cgroup = std::make_shared<const std::string>(exec.cgroup);
  }
  if (HoldStart(process, boottime, exec)) return;
  AnnounceParent(process);
  process.announced = true;
  Emit(v1::EVENT_CLASS_PROCESS, boottime, StartedEvent(process, ParentGuidOf(process), std::move(exec)));
}

void ProcessTracker::OnExit(int64_t boottime, const platform::RawExit& exit) {
  TrackedProcess& process = Learn(exit.process, {}, boottime);
  if (process.end_boottime_nanos != 0) return;  // said twice: see the source's on_exit
  process.seen |= kSawEnd;
  if (!HoldEnd(process, boottime, exit)) {
    Announce(process);
    Emit(v1::EVENT_CLASS_PROCESS, boottime, EndedEvent(process, exit));
  }
  table_.End(process, std::max<int64_t>(boottime, 1));
}

// TEL-1: what the kernel could not keep becomes a gap that says how much and when.
void ProcessTracker::OnLoss(const platform::RawLoss& loss) {
  lost_ += std::max<uint64_t>(loss.count, 1);
  Emit(v1::EVENT_CLASS_CONTROL, loss.last_boottime_nanos,
       LossEvent(loss, clock_.WallNanos() - clock_.BootNanos()));
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

// One that the table does not know.
TrackedProcess& ProcessTracker::Add(const platform::ProcessKey& key, const platform::ProcessKey& parent,
                                    int64_t boottime) {
  TrackedProcess& added = table_.Add(key);
  const std::string guid = ProcessGuid(host_id_, boot_id_, key);
  std::memcpy(added.guid.data(), guid.data(), added.guid.size());
  added.forked_boottime_nanos = boottime;
  added.parent = parent;
  return added;
}

TrackedProcess& ProcessTracker::Learn(const platform::ProcessKey& key, const platform::ProcessKey& parent,
                                      int64_t boottime) {
  TrackedProcess* const known = table_.Get(key);
  if (known == nullptr) return Add(key, parent, boottime);
  // The parent stays the one that made it, also when that one has ended and init has taken the child.
  if (known->parent.pid == 0) known->parent = parent;
  return *known;
}

void ProcessTracker::Announce(TrackedProcess& process) const {
  if (process.announced) return;
  AnnounceParent(process);
  Tell(process);
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
  for (auto parent = silent.rbegin(); parent != silent.rend(); ++parent) Tell(**parent);
}

void ProcessTracker::Tell(TrackedProcess& process) const {
  process.announced = true;
  auto held = held_.extract(process.key);
  if (!held.empty() && held.mapped().exec) {
    Emit(v1::EVENT_CLASS_PROCESS, held.mapped().exec_boottime_nanos,
         StartedEvent(process, ParentGuidOf(process), *std::move(held.mapped().exec)));
  } else {
    TakeParentsProgram(process);
    Emit(v1::EVENT_CLASS_PROCESS, process.forked_boottime_nanos, ForkedEvent(process, ParentGuidOf(process)));
  }
  if (!held.empty() && held.mapped().exit) {
    Emit(v1::EVENT_CLASS_PROCESS, held.mapped().exit_boottime_nanos,
         EndedEvent(process, *held.mapped().exit));
  }
}

// Until its first exec.
void ProcessTracker::TakeParentsProgram(TrackedProcess& process) const {
  const TrackedProcess* const parent = table_.Get(process.parent);
  if (parent != nullptr && process.executable.empty()) process.executable = parent->executable;
}

std::string ProcessTracker::ParentGuidOf(const TrackedProcess& process) const {
  return process.parent.pid == 0 ? "" : GuidOf(process.parent);
}

std::string ProcessTracker::GuidOf(const platform::ProcessKey& key) const {
  const TrackedProcess* const known = table_.Get(key);
  return known != nullptr ? known->Guid() : ProcessGuid(host_id_, boot_id_, key);
}

void ProcessTracker::Emit(v1::EventClass event_class, int64_t boottime, v1::Event event) const {
  sink_.Emit(event_class, boottime + clock_.WallNanos() - clock_.BootNanos(), std::move(event));
}

}  // namespace cordon::agent
