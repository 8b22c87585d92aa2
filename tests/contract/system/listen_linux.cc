#include <sys/socket.h>
#include <sys/un.h>

#include <stdexcept>

#include "tests/contract/system/listen.h"

namespace cordon::testing {

int ListenAt(const platform::LocalAddress& address) {
  const std::string path = address.address.substr(std::string("unix:").size());
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path.copy(at.sun_path, sizeof(at.sun_path) - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof(at)) != 0 || listen(fd, 1) != 0)
    throw std::runtime_error("cannot listen at " + path);
  return 0;
}

}  // namespace cordon::testing
