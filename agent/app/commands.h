#pragma once

// What the sub-commands of cordon-agent do. Each returns the exit status: 0 done, 1 refused or failed; what
// went wrong is on standard error.

#include <string>

#include "agent/app/config.h"

namespace cordon::agent {

int EnrollCommand(const AgentConfig& config, const std::string& file, bool replace);
int StatusCommand(const AgentConfig& config, bool json);
// Until SIGTERM or SIGINT.
int RunCommand(const AgentConfig& config);

}  // namespace cordon::agent
