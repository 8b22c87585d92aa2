#include "agent/process/process_tracker.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <variant>
#include <vector>

#include "agent/event/process_guid.h"
#include "agent/process/container_id.h"
#include "agent/process/secret_mask.h"
#include "common/base/text.h"

namespace cordon::agent {
namespace {

constexpr int64_t kForkFoldedNanos = kNanosPerSecond;
constexpr int kMostUnannouncedParents = 64;

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

std::string GuidBytes(const TrackedProcess& process) {
  return {process.guid.data(), process.guid.size()};
}

}  // namespace

ProcessTracker::ProcessTracker(EventSink& sink, const Clock& clock, std::string host_id, std::string boot_id)
    : sink_(sink), clock_(clock), host_id_(std::move(host_id)), boot_id_(std::move(boot_id)) {}

void ProcessTracker::Handle(std::span<platform::RawProcessEvent> events) {
  const std::lock_guard lock(mutex_);
  for (platform::RawProcessEvent& event : events) {
    std::visit(Overloaded{[&](const platform::RawFork& fork) { OnFork(event.boottime_nanos, fork); },
                          [&](platform::RawExec& exec) { OnExec(event.boottime_nanos, exec); },
                          [&](const platform::RawExit& exit) { OnExit(event.boottime_nanos, exit); },
                          [&](const platform::RawLoss& loss) { OnLoss(loss); }},
               event.fact);
  }
}

void ProcessTracker::OnFork(int64_t boottime, const platform::RawFork& fork) {
  if (table_.Get(fork.child) != nullptr) return;
  Learn(fork.child, fork.parent, boottime);
  pending_.push_back({fork.child, boottime});
}

void ProcessTracker::OnExec(int64_t boottime, platform::RawExec& exec) {
  TrackedProcess& process = Learn(exec.process, exec.parent, boottime);
  AnnounceParent(process);
  process.exec_boottime_nanos = boottime;
  process.executable = exec.executable;
  process.announced = true;
  MaskSecrets(&exec.argv);

  v1::Event event;
  v1::ProcessStarted& started = *event.mutable_process_started();
  started.set_process_guid(GuidBytes(process));
  if (process.parent.pid != 0) started.set_parent_guid(GuidOf(process.parent));
  started.set_pid(process.key.pid);
  started.set_parent_pid(process.parent.pid);
  started.set_executable(EscapeToUtf8(exec.executable));
  for (const std::string& argument : exec.argv) started.add_argv(EscapeToUtf8(argument));
  if (!exec.argv_complete) started.set_argv_total_bytes(exec.argv_total_bytes);
  started.set_cwd(EscapeToUtf8(exec.cwd));
  started.set_uid(exec.uid);
  started.set_gid(exec.gid);
  started.set_login_uid(exec.login_uid);
  started.set_session_id(exec.session_id);
  started.set_cgroup(EscapeToUtf8(exec.cgroup));
  started.set_container_id(ContainerIdOf(exec.cgroup));
  started.set_start_boottime_nanos(process.key.start_boottime_nanos);
  started.set_from_snapshot(exec.from_snapshot);
  started.set_argv_from_proc(exec.argv_from_proc);
  Emit(v1::EVENT_CLASS_PROCESS, boottime, std::move(event));
}

void ProcessTracker::OnExit(int64_t boottime, const platform::RawExit& exit) {
  TrackedProcess& process = Learn(exit.process, {}, boottime);
  if (process.end_boottime_nanos != 0) return;  // said twice: see the source's on_exit
  Announce(process);
  v1::Event event;
  v1::ProcessEnded& ended = *event.mutable_process_ended();
  ended.set_process_guid(GuidBytes(process));
  ended.set_pid(process.key.pid);
  ended.set_exit_code(exit.exit_code);
  ended.set_signal(exit.signal);
  ended.set_cpu_nanos(exit.cpu_nanos);
  ended.set_peak_memory_bytes(exit.peak_memory_bytes);
  Emit(v1::EVENT_CLASS_PROCESS, boottime, std::move(event));
  table_.End(process, std::max<int64_t>(boottime, 1));
}

// TEL-1: what the kernel could not keep becomes a gap that says how much and when.
void ProcessTracker::OnLoss(const platform::RawLoss& loss) {
  lost_ += std::max<uint64_t>(loss.count, 1);
  const int64_t offset = clock_.WallNanos() - clock_.BootNanos();
  v1::Event event;
  v1::Gap& gap = *event.mutable_gap();
  gap.set_cause(v1::Gap::CAUSE_KERNEL_BUFFER_FULL);
  gap.set_event_class(v1::EVENT_CLASS_PROCESS);
  gap.set_count(loss.count);
  gap.set_count_unknown(loss.count == 0);
  gap.set_first_time_unix_nanos(loss.first_boottime_nanos + offset);
  gap.set_last_time_unix_nanos(loss.last_boottime_nanos + offset);
  gap.set_detail("process records that did not fit into the kernel's buffer: forks, starts and ends");
  Emit(v1::EVENT_CLASS_CONTROL, loss.last_boottime_nanos, std::move(event));
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
  return ProcessRef{.guid = GuidBytes(*process), .executable = process->executable};
}

bool ProcessTracker::SawExec(uint32_t pid, int64_t since_boottime_nanos) const {
  const std::lock_guard lock(mutex_);
  const TrackedProcess* process = table_.At(pid, INT64_MAX);
  return process != nullptr && process->exec_boottime_nanos >= since_boottime_nanos;
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
  v1::Event event;
  v1::ProcessForked& forked = *event.mutable_process_forked();
  forked.set_process_guid(GuidBytes(process));
  if (process.parent.pid != 0) forked.set_parent_guid(GuidOf(process.parent));
  forked.set_pid(process.key.pid);
  Emit(v1::EVENT_CLASS_PROCESS, process.forked_boottime_nanos, std::move(event));
}

std::string ProcessTracker::GuidOf(const platform::ProcessKey& key) const {
  if (const TrackedProcess* known = table_.Get(key);
      known != nullptr && known->guid != decltype(known->guid){}) {
    return GuidBytes(*known);
  }
  return ProcessGuid(host_id_, boot_id_, key);
}

void ProcessTracker::Emit(v1::EventClass event_class, int64_t boottime, v1::Event event) const {
  sink_.Emit(event_class, boottime + clock_.WallNanos() - clock_.BootNanos(), std::move(event));
}

}  // namespace cordon::agent
