#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/event/event_sink.h"
#include "agent/event/process_directory.h"
#include "agent/process/burst_folder.h"
#include "agent/process/process_table.h"
#include "common/base/clock.h"
#include "platform/api/process_source.h"

namespace cordon::agent {

// Turns raw process facts into events and remembers who had which pid. Thread-safe.
//
// Most processes fork, exec at once and end: to spend two events on them instead of three, a fork is not
// announced when it happens. ProcessForked is emitted, always before anything that names the process, when
//   - the process ends without an exec,
//   - it is still running its parent's program after a second (Settle),
//   - it is itself the parent of a process that is announced, or
//   - somebody asks for it (Find), to name it in another event.
// An exec within that second makes it a ProcessStarted alone. So no event names a process that was not
// announced before it in the same class, unless the announcement was lost; then a Gap event says so (TEL-1).
//
// Where more than `fold_over` processes come in a second from one group (burst_folder.h), those that are not
// the first of their program are held back in the same way, with their start and end. What ends and is asked
// about by nobody for a second is counted in a ProcessBurst and has no other event; all that announces a
// fork, and a deed of its own, tells it like any other process.
//
// A process that changes its privileges to and fro, as a file server does for each request, is told of with
// the same change once an hour; so is the same tracer of the same target.
//
// What the agent's own code does to prove the sensor (canaries: a tracer of its own child, and what that
// child does before it starts a program) is recorded as seen and not told.
//
// Arguments are masked (agent/event/secret_mask.h) before anything leaves this class.
class ProcessTracker final : public ProcessDirectory {
 public:
  static constexpr size_t kMostHeld = 4'096;  // of starts and ends that may be folded

  struct Settings {
    uint32_t agent_pid = 0;  // this process, as the facts name it
    uint32_t fold_over = 0;  // processes of one group in a second; 0 = every one is told
  };
  ProcessTracker(EventSink& sink, const Clock& clock, std::string host_id, std::string boot_id,
                 Settings settings);

  // Takes the facts in their order; moves strings out of them.
  void Handle(std::span<platform::RawProcessEvent> events);

  // Announces or folds what has waited for a second by the boot-time clock, and tells the summaries that are
  // due. Returns when to call again (boot-time nanoseconds), nullopt when nothing waits.
  std::optional<int64_t> Settle();

  // The same at once, for all that waits: nothing more is handled.
  void Finish();

  std::optional<ProcessRef> Find(uint32_t pid, int64_t boottime_nanos) const override;

  // What was recorded of the process with this pid that was born at or after that moment: ProcessFact bits.
  // Nothing when whoever handles facts is held up, by a sink that does not take events.
  std::optional<uint8_t> SeenOf(uint32_t pid, int64_t since_boottime_nanos) const;

  uint64_t Lost() const { return lost_; }

 private:
  struct Waiting {
    platform::ProcessKey process;
    int64_t since;
  };
  // Of a process in a burst, not told yet.
  struct Held {
    BurstGroup group;
    std::optional<platform::RawExec> exec;
    std::optional<platform::RawExit> exit;
    int64_t exec_boottime_nanos = 0;
    int64_t exit_boottime_nanos = 0;
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
  TrackedProcess& Add(const platform::ProcessKey& process, const platform::ProcessKey& parent,
                      int64_t boottime);
  TrackedProcess& Learn(const platform::ProcessKey& process, const platform::ProcessKey& parent,
                        int64_t boottime);
  void Announce(TrackedProcess& process) const;
  void AnnounceParent(const TrackedProcess& process) const;
  void Tell(TrackedProcess& process) const;
  bool HoldStart(TrackedProcess& process, int64_t boottime, platform::RawExec& exec);
  bool HoldEnd(TrackedProcess& process, int64_t boottime, const platform::RawExit& exit);
  void TakeParentsProgram(TrackedProcess& process) const;
  BurstGroup GroupOf(const TrackedProcess& process) const;
  void Hold(const TrackedProcess& process, int64_t since, Held held);
  void SettleUntil(int64_t began_before);
  bool StillWaits(const Waiting& waiting) const;
  void SettleOne(const platform::ProcessKey& key);
  void Fold(const TrackedProcess& process, const Held& held);
  void TellSummaries(const std::vector<BurstSummary>& summaries) const;
  std::string GuidOf(const platform::ProcessKey& process) const;
  std::string ParentGuidOf(const TrackedProcess& process) const;
  void Emit(v1::EventClass event_class, int64_t boottime, v1::Event event) const;

  EventSink& sink_;
  const Clock& clock_;
  const std::string host_id_;
  const std::string boot_id_;
  const Settings settings_;

  mutable std::timed_mutex mutex_;
  mutable ProcessTable table_;   // mutable: Find announces
  std::deque<Waiting> waiting_;  // oldest first; entries that were announced since are skipped
  mutable std::map<platform::ProcessKey, Held> held_;
  BurstFolder folder_;
  std::atomic<uint64_t> lost_ = 0;
};

}  // namespace cordon::agent
