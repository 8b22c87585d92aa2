#pragma once

#include <absl/status/statusor.h>

#include "platform/windows/system/handle.h"

namespace cordon::platform {

// What a sandboxed child runs by (decision 0043). A process cannot even load its libraries by a token that
// opens nothing, so its first thread begins with another one and gives it up before it reads anything.
struct SandboxTokens {
  Handle process;  // opens nothing: no privilege, every group and the user for denying alone, and an access
                   // check must pass for the null SID as well, to which nobody grants anything
  Handle start;    // for its first thread: this process's own, without privileges
};

// Both at low integrity, and restricted, without which the one could not be put beside the other.
absl::StatusOr<SandboxTokens> MakeSandboxTokens();

// This process can write to nothing above the lowest level of integrity from now on. While it still can.
absl::Status DropIntegrity();

}  // namespace cordon::platform
