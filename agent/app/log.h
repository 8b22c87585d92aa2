#pragma once

#include <string>

namespace cordon::agent {

// Where this process's log goes: standard error, or the system's log where nobody reads that. `level` as in
// AgentConfig.
void SetUpLog(const std::string& level);

}  // namespace cordon::agent
