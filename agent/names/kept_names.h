#pragma once

#include <filesystem>
#include <memory>

#include "agent/names/names.h"

namespace cordon::agent {

// Where the guard's port is remembered, in the agent's state folder.
inline constexpr const char* kGuardPortFile = "dns-guard.port";

// Names while no agent runs: what the state has kept open stays open, and port 53 stays turned to where the
// guard will listen again. Nothing is looked up, opened or closed, and nothing is written.
std::unique_ptr<Names> MakeKeptNames(std::filesystem::path port_file);

}  // namespace cordon::agent
