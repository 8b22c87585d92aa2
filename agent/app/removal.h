#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "agent/app/config.h"

namespace cordon::agent {

// FAILED_PRECONDITION, with the level and what to do, while this host is isolated or may be: the state asks
// for a level or is damaged, or rules of Cordon stand in the kernel (ISO-5). Beside a running agent, too.
absl::Status CheckNotIsolated(const AgentConfig& config);

// Takes this host out of Cordon's hands, before the package goes. The agent must not run. Refuses as
// CheckNotIsolated unless `release`: then the host is released first. What was done is written into the spool
// (IsolationChanged "local release", AgentLifecycle REMOVED) and sent, if a controller is reached within some
// seconds; a sentence about that is returned. A host that cannot record (not enrolled, damaged) is released
// all the same.
absl::StatusOr<std::string> RemoveAgent(const AgentConfig& config, bool release);

}  // namespace cordon::agent
