#include "platform/linux/system/netlink_news.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "common/base/strings.h"

namespace cordon::platform {

absl::Status NetlinkNews::Start(const Group& group, std::function<void()> there) {
  if (thread_.joinable()) return absl::FailedPreconditionError(StrCat("it runs already: ", group.what));
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, group.bus));
  Fd stop(eventfd(0, EFD_CLOEXEC));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (!socket.Valid() || !stop.Valid() ||
      bind(socket.Get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      setsockopt(socket.Get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group.number, sizeof(group.number)) !=
          0) {
    return absl::ErrnoToStatus(errno, StrCat("cannot ", group.what));
  }
  // Without the right to it the usual size stays; a loss is told, not hidden.
  if (group.buffer_bytes > 0) {
    setsockopt(socket.Get(), SOL_SOCKET, SO_RCVBUFFORCE, &group.buffer_bytes, sizeof(group.buffer_bytes));
  }
  socket_ = std::move(socket);
  stop_ = std::move(stop);
  thread_ = std::thread([this, there = std::move(there)] { Wait(there); });
  return absl::OkStatus();
}

void NetlinkNews::Stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  while (write(stop_.Get(), &one, sizeof(one)) < 0 && errno == EINTR) {
  }
  thread_.join();
}

void NetlinkNews::Wait(const std::function<void()>& there) const {
  while (true) {
    std::array<pollfd, 2> waits{pollfd{socket_.Get(), POLLIN, 0}, pollfd{stop_.Get(), POLLIN, 0}};
    if (poll(waits.data(), waits.size(), -1) < 0) continue;  // EINTR
    if (waits[1].revents != 0) return;
    there();
  }
}

}  // namespace cordon::platform
