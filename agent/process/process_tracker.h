#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "agent/event/event_sink.h"
#include "agent/event/process_directory.h"
#include "agent/process/process_table.h"
#include "common/base/clock.h"
#include "platform/api/process_source.h"

namespace cordon::agent {

// Turns raw process facts into events and remembers who had which pid. Thread-safe.
//
// Most processes fork, exec at once and end: to spend two events on them instead of three, a fork is not
// announced when it happens. ProcessForked is emitted, always before anything that names the process, when
//   - the process ends without an exec,
//   - it is still running its parent's program after a second (AnnounceOverdueForks),
//   - it is itself the parent of a process that is announced, or
//   - somebody asks for it (Find), to name it in another event.
// An exec within that second makes it a ProcessStarted alone. So no event names a process that was not
// announced before it in the same class, unless the announcement was lost; then a Gap event says so (TEL-1).
//
// A process that changes its privileges to and fro, as a file server does for each request, is told of with
// the same change once an hour; so is the same tracer of the same target.
//
// What the agent's own code does to prove the sensor (canaries: a tracer of its own child, and what that
// child does before it starts a program) is recorded as seen and not told.
//
// Arguments are masked (secret_mask.h) before anything leaves this class.
class ProcessTracker final : public ProcessDirectory {
 public:
  // `agent_pid`: this process, as the facts name it.
  ProcessTracker(EventSink& sink, const Clock& clock, std::string host_id, std::string boot_id,
                 uint32_t agent_pid);

  // Takes the facts in their order; moves strings out of them.
  void Handle(std::span<platform::RawProcessEvent> events);

  // Announces the forks that are a second old by the boot-time clock. Returns when to call again (boot-time
  // nanoseconds), nullopt when no fork waits.
  std::optional<int64_t> AnnounceOverdueForks();

  std::optional<ProcessRef> Find(uint32_t pid, int64_t boottime_nanos) const override;

  // What was recorded of the process with this pid that was born at or after that moment: ProcessFact bits.
  // Nothing when whoever handles facts is held up, by a sink that does not take events.
  std::optional<uint8_t> SeenOf(uint32_t pid, int64_t since_boottime_nanos) const;

  uint64_t Lost() const { return lost_; }

 private:
  struct PendingFork {
    platform::ProcessKey process;
    int64_t boottime_nanos;
  };

  // All with mutex_ held.
  void OnFork(int64_t boottime, const platform::RawFork& fork);
  void OnExec(int64_t boottime, platform::RawExec& exec);
  void OnExit(int64_t boottime, const platform::RawExit& exit);
  void OnPrivilegeChange(int64_t boottime, const platform::RawPrivilegeChange& change);
  void OnTrace(int64_t boottime, const platform::RawTrace& trace);
  void OnModuleLoad(int64_t boottime, const platform::RawModuleLoad& load);
  void OnLoss(const platform::RawLoss& loss);
  bool IsAgentsOwnCode(const TrackedProcess& process) const;
  TrackedProcess* Named(const platform::ProcessKey& process, int64_t boottime) const;
  std::string AnnouncedGuid(TrackedProcess* process) const;
  TrackedProcess& Learn(const platform::ProcessKey& process, const platform::ProcessKey& parent,
                        int64_t boottime);
  void Announce(TrackedProcess& process) const;
  void AnnounceParent(const TrackedProcess& process) const;
  void AnnounceFork(TrackedProcess& process) const;
  std::string GuidOf(const platform::ProcessKey& process) const;
  std::string ParentGuidOf(const TrackedProcess& process) const;
  void Emit(v1::EventClass event_class, int64_t boottime, v1::Event event) const;

  EventSink& sink_;
  const Clock& clock_;
  const std::string host_id_;
  const std::string boot_id_;
  const uint32_t agent_pid_;

  mutable std::timed_mutex mutex_;
  mutable ProcessTable table_;       // mutable: Find announces
  std::deque<PendingFork> pending_;  // oldest first; entries that were announced since are skipped
  std::atomic<uint64_t> lost_ = 0;
};

}  // namespace cordon::agent
