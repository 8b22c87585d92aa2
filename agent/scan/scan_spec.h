#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "agent/scan/baseline.h"
#include "agent/scan/job_store.h"
#include "cordon/v1/scan.pb.h"

namespace cordon::agent {

// INVALID_ARGUMENT names a path that is none on this system. Pure. All else is CheckScanSpec's
// (common/wire/order.h), so that operators hear of it before hosts do.
absl::Status CheckPaths(const v1::ScanSpec& spec);

// The roots of a job, outermost ones only, in the order of the walk, with the links on the way to them
// resolved (below them none is followed), and what is to be done with the baseline
// of each. `default_paths`: when the order names none. FAILED_PRECONDITION for a check without a baseline.
absl::StatusOr<std::vector<ScanRoot>> RootsOf(const v1::ScanSpec& spec,
                                              const std::vector<std::filesystem::path>& default_paths,
                                              Baseline& baseline);

}  // namespace cordon::agent
