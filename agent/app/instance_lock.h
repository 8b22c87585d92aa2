#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>

#include "platform/api/files.h"

namespace cordon::agent {

// Makes the state folder when it is not there, and holds it for this process alone while the handle lives.
// FAILED_PRECONDITION, with what to do, when another agent has it.
absl::StatusOr<std::unique_ptr<platform::FileLock>> LockState(const std::filesystem::path& state_dir);

}  // namespace cordon::agent
