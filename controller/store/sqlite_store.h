#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>

#include "common/base/clock.h"
#include "controller/store/store.h"

namespace cordon::controller {

// Makes the store's file. ALREADY_EXISTS when `path` is there.
absl::Status CreateSqliteStore(const std::filesystem::path& path, const Fleet& fleet, const Clock& clock);

// Opens the store; `clock` outlives it. Never makes a new one in the place of a missing or damaged one, since
// agents would then be told to send what was stored before: NOT_FOUND, DATA_LOSS (with the way to restore),
// FAILED_PRECONDITION for a file of a newer version, ALREADY_EXISTS when another controller has it open.
absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const std::filesystem::path& path, const Clock& clock);

}  // namespace cordon::controller
