#pragma once

// Facts and what is known of their processes, as events. Pure; arguments are masked
// (agent/event/secret_mask.h) here, so that no secret leaves this module.

#include <string>

#include "agent/process/burst_folder.h"
#include "agent/process/process_table.h"
#include "cordon/v1/event.pb.h"
#include "platform/api/process_source.h"

namespace cordon::agent {

// `parent_guid`: empty when the parent is not known.
v1::Event ForkedEvent(const TrackedProcess& process, std::string parent_guid);
v1::Event StartedEvent(const TrackedProcess& process, std::string parent_guid, platform::RawExec exec);
v1::Event EndedEvent(const TrackedProcess& process, const platform::RawExit& exit);

// Both sides complete: see ProcessTracker.
v1::Event PrivilegeChangedEvent(const std::string& guid, uint32_t pid, const platform::Privileges& before,
                                const platform::Privileges& after);
v1::Event TracedEvent(const std::string& tracer_guid, const std::string& target_guid,
                      const platform::RawTrace& trace);
v1::Event ModuleLoadedEvent(const std::string& guid, const platform::RawModuleLoad& load);

v1::Event BurstEvent(const BurstSummary& summary, int64_t offset_nanos);

// TEL-1. Times by the wall clock: boot time plus `offset_nanos`.
v1::Event LossEvent(const platform::RawLoss& loss, int64_t offset_nanos);

}  // namespace cordon::agent
