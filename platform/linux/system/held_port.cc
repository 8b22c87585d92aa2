#include "platform/api/held_port.h"

#include <sys/socket.h>

#include <cerrno>

namespace cordon::platform {

// The kernel shares a listening port with nobody who has not asked for SO_REUSEPORT on both sides. For
// datagrams SO_REUSEADDR would mean to share.
absl::Status HoldPortAlone(int socket) {
  int kind = 0;
  socklen_t size = sizeof(kind);
  if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &kind, &size) != 0)
    return absl::ErrnoToStatus(errno, "cannot ask for a socket's kind");
  const int yes = 1;
  if (kind == SOCK_STREAM && setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0)
    return absl::ErrnoToStatus(errno, "cannot set SO_REUSEADDR");
  return absl::OkStatus();
}

}  // namespace cordon::platform
