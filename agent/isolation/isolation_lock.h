#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <filesystem>
#include <memory>

#include "platform/api/files.h"

namespace cordon::agent {

// Whoever changes isolation.state or the rules holds this lock of the state folder: the agent for its whole
// life, the keeper for one look at a time. An agent that cannot have it at its start, because a look takes
// long, goes on without, and tries again every second. ALREADY_EXISTS when another process still has it after
// `patience`.
absl::StatusOr<std::unique_ptr<platform::FileLock>> LockIsolation(const std::filesystem::path& state_dir,
                                                                  std::chrono::milliseconds patience);

}  // namespace cordon::agent
