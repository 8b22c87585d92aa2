#pragma once

#include <absl/status/status.h>

#include <cstdint>

#include "platform/linux/programs/executables.h"

namespace cordon::platform {

// Gives `mark` to the IP sockets without a mark that processes of this executable hold now, in the network
// namespace with this inode number: a service that listens, or a session that is open, need not begin anew
// when its program is allowed. Needs CAP_SYS_PTRACE and pidfd_getfd (Linux 5.6). An error says which process
// could not be looked at; all others were.
absl::Status MarkOpenSockets(const Executable& executable, uint32_t mark, uint64_t net_namespace);

}  // namespace cordon::platform
