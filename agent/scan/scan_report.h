#pragma once

#include <cstdint>
#include <string>

#include "agent/scan/job_store.h"
#include "cordon/v1/scan.pb.h"

namespace cordon::agent {

// What the host signs at the end of a job (ScanProgress.report), from its last progress. Pure.
v1::ScanReport MakeScanReport(const std::string& host_id, const SavedJob& job,
                              const v1::ScanProgress& progress, int64_t time_unix_nanos);

}  // namespace cordon::agent
