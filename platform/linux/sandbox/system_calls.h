#pragma once

#include <absl/status/status.h>

namespace cordon::platform {

// From now on every system call ends this process (SIGSYS) that is not for computing in memory, or for
// reading, mapping, receiving and sending what is open. Needs no_new_privs. UNIMPLEMENTED on an architecture
// whose numbers are not known here.
absl::Status AllowOnlyComputing();

}  // namespace cordon::platform
