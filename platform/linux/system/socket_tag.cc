#include "platform/api/socket_tag.h"

#include <sys/socket.h>

#include <cerrno>

#include "platform/linux/system/agent_mark.h"

namespace cordon::platform {

absl::Status TagAgentSocket(int socket) {
  const uint32_t mark = kAgentSocketMark;
  if (setsockopt(socket, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0) {
    return absl::ErrnoToStatus(errno, "cannot mark the agent's socket (SO_MARK needs CAP_NET_ADMIN)");
  }
  return absl::OkStatus();
}

}  // namespace cordon::platform
