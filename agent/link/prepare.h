#pragma once

#include <absl/status/status.h>

namespace cordon::agent {

// What must be settled before anything of gRPC is used, first in main and before any thread: TLS 1.3 as the
// only version, and the library's own log lines as debug lines of ours (the link reports what matters
// itself).
absl::Status PrepareRpc();

}  // namespace cordon::agent
