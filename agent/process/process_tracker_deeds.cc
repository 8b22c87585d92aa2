// What processes do beside starting and ending.

#include <utility>

#include "agent/process/process_events.h"
#include "agent/process/process_tracker.h"
#include "common/base/strings.h"

namespace cordon::agent {

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
  if (target != nullptr && trace.tracer.pid == settings_.agent_pid && IsAgentsOwnCode(*target)) return;
  const std::string target_guid = AnnouncedGuid(target);
  // A debugger takes each thread of its target by itself.
  if (tracer != nullptr && !tracer->told.IsNews(StrCat("traces ", target_guid), boottime)) return;
  Emit(v1::EVENT_CLASS_PROCESS, boottime, TracedEvent(AnnouncedGuid(tracer), target_guid, trace));
}

void ProcessTracker::OnModuleLoad(int64_t boottime, const platform::RawModuleLoad& load) {
  TrackedProcess* const process = Named(load.process, boottime);
  Emit(v1::EVENT_CLASS_PROCESS, boottime, ModuleLoadedEvent(AnnouncedGuid(process), load));
}

bool ProcessTracker::IsAgentsOwnCode(const TrackedProcess& process) const {
  return settings_.agent_pid != 0 && process.parent.pid == settings_.agent_pid &&
         process.exec_boottime_nanos == 0;
}

}  // namespace cordon::agent
