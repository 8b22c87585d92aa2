#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>

#include "common/sqlite/database.h"

namespace cordon::agent {

// baseline.db: the baseline, and the job that runs. A damaged file is set aside; `*notice` then says so.
absl::StatusOr<Database> OpenScanDatabase(const std::filesystem::path& path, std::string* notice);

}  // namespace cordon::agent
