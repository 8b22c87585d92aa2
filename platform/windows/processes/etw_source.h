#pragma once

#include <memory>

#include "platform/api/process_source.h"

namespace cordon::platform {

// The kernel's own trace of processes, in a session of its own. Needs administrators' rights; UNAVAILABLE
// where the system opens no trace (wine).
std::unique_ptr<ProcessSource> MakeEtwSource();

}  // namespace cordon::platform
