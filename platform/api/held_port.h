#pragma once

#include <absl/status/status.h>

namespace cordon::platform {

// Before bind: the port is this socket's alone, against programs that ask to share it (Windows would let
// them), and connections of an earlier process that are still dying do not keep it (Linux).
absl::Status HoldPortAlone(int socket);

}  // namespace cordon::platform
