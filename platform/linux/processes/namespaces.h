#pragma once

namespace cordon::platform {

// False when pids here are not the machine's.
bool InInitialPidNamespace();

// False when this thread sees another network than the machine's first process.
bool InInitialNetworkNamespace();

}  // namespace cordon::platform
