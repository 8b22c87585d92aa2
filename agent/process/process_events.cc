#include "agent/process/process_events.h"

#include <utility>

#include "agent/event/secret_mask.h"
#include "agent/process/container_id.h"
#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::agent {

v1::Event ForkedEvent(const TrackedProcess& process, std::string parent_guid) {
  v1::Event event;
  v1::ProcessForked& forked = *event.mutable_process_forked();
  forked.set_process_guid(process.Guid());
  forked.set_parent_guid(std::move(parent_guid));
  forked.set_pid(process.key.pid);
  return event;
}

v1::Event StartedEvent(const TrackedProcess& process, std::string parent_guid, platform::RawExec exec) {
  MaskSecrets(&exec.argv);
  v1::Event event;
  v1::ProcessStarted& started = *event.mutable_process_started();
  started.set_process_guid(process.Guid());
  started.set_parent_guid(std::move(parent_guid));
  started.set_pid(process.key.pid);
  started.set_parent_pid(process.parent.pid);
  started.set_executable(IntoUtf8(std::move(exec.executable)));
  for (std::string& argument : exec.argv) started.add_argv(IntoUtf8(std::move(argument)));
  if (!exec.argv_complete) started.set_argv_total_bytes(exec.argv_total_bytes);
  started.set_cwd(IntoUtf8(std::move(exec.cwd)));
  started.set_uid(exec.uid);
  started.set_gid(exec.gid);
  started.set_login_uid(exec.login_uid);
  started.set_session_id(exec.session_id);
  started.set_container_id(ContainerIdOf(exec.cgroup));
  started.set_cgroup(IntoUtf8(std::move(exec.cgroup)));
  started.set_start_boottime_nanos(process.key.start_boottime_nanos);
  started.set_from_snapshot(exec.from_snapshot);
  started.set_argv_from_proc(exec.argv_from_proc);
  started.set_from_memory(exec.from_memory);
  started.set_user_sid(IntoUtf8(std::move(exec.user_sid)));
  started.set_integrity_level(exec.integrity_level);
  return event;
}

v1::Event EndedEvent(const TrackedProcess& process, const platform::RawExit& exit) {
  v1::Event event;
  v1::ProcessEnded& ended = *event.mutable_process_ended();
  ended.set_process_guid(process.Guid());
  ended.set_pid(process.key.pid);
  ended.set_exit_code(exit.exit_code);
  ended.set_signal(exit.signal);
  ended.set_cpu_nanos(exit.cpu_nanos);
  ended.set_peak_memory_bytes(exit.peak_memory_bytes);
  return event;
}

v1::Event PrivilegeChangedEvent(const std::string& guid, uint32_t pid, const platform::Privileges& before,
                                const platform::Privileges& after) {
  v1::Event event;
  v1::PrivilegeChanged& changed = *event.mutable_privilege_changed();
  changed.set_process_guid(guid);
  changed.set_pid(pid);
  changed.set_uid_before(before.uid.value_or(0));
  changed.set_uid_after(after.uid.value_or(0));
  changed.set_gid_before(before.gid.value_or(0));
  changed.set_gid_after(after.gid.value_or(0));
  changed.set_capabilities_before(before.capabilities.value_or(0));
  changed.set_capabilities_after(after.capabilities.value_or(0));
  return event;
}

v1::Event TracedEvent(const std::string& tracer_guid, const std::string& target_guid,
                      const platform::RawTrace& trace) {
  v1::Event event;
  v1::ProcessTraced& traced = *event.mutable_process_traced();
  traced.set_process_guid(tracer_guid);
  traced.set_pid(trace.tracer.pid);
  traced.set_target_guid(target_guid);
  traced.set_target_pid(trace.target.pid);
  return event;
}

v1::Event ModuleLoadedEvent(const std::string& guid, const platform::RawModuleLoad& load) {
  v1::Event event;
  v1::ModuleLoaded& loaded = *event.mutable_module_loaded();
  loaded.set_name(EscapeToUtf8(load.name));
  loaded.set_process_guid(guid);
  loaded.set_pid(load.process.pid);
  return event;
}

v1::Event BurstEvent(const BurstSummary& summary, int64_t offset_nanos) {
  v1::Event event;
  v1::ProcessBurst& burst = *event.mutable_process_burst();
  burst.set_cgroup(EscapeToUtf8(summary.cgroup));
  burst.set_forked(summary.forked);
  burst.set_started(summary.started);
  burst.set_ended(summary.forked + summary.started);  // only those that have ended are folded
  burst.set_failed(summary.failed);
  burst.set_first_time_unix_nanos(summary.first_boottime_nanos + offset_nanos);
  burst.set_last_time_unix_nanos(summary.last_boottime_nanos + offset_nanos);
  for (const auto& [executable, started] : summary.programs) {
    v1::ProcessBurst::Program& program = *burst.add_programs();
    program.set_executable(EscapeToUtf8(executable));
    program.set_started(started);
  }
  for (const std::string& guid : summary.parent_guids) burst.add_parent_guids(guid);
  burst.set_cpu_nanos(summary.cpu_nanos);
  return event;
}

v1::Event LossEvent(const platform::RawLoss& loss, int64_t offset_nanos) {
  v1::Event event;
  v1::Gap& gap = *event.mutable_gap();
  gap.set_cause(v1::Gap::CAUSE_KERNEL_BUFFER_FULL);
  gap.set_event_class(v1::EVENT_CLASS_PROCESS);
  gap.set_count(loss.count);
  gap.set_count_unknown(loss.count == 0);
  gap.set_first_time_unix_nanos(loss.first_boottime_nanos + offset_nanos);
  gap.set_last_time_unix_nanos(loss.last_boottime_nanos + offset_nanos);
  gap.set_detail(StrCat("process records that did not fit into the kernel's buffer: ", loss.what));
  return event;
}

}  // namespace cordon::agent
