#include "platform/linux/system/netlink.h"

#include <cerrno>
#include <vector>

#include "common/base/strings.h"

namespace cordon::platform {
namespace {

constexpr size_t kReceiveBytes = 64 * 1024;

int OnMessage(const nlmsghdr* message, void* data) {
  const auto& each = *static_cast<const std::function<void(const nlmsghdr*)>*>(data);
  if (each) each(message);
  return MNL_CB_OK;
}

}  // namespace

absl::Status NetlinkSocket::Open() {
  if (socket_ != nullptr) return absl::OkStatus();
  socket_.reset(mnl_socket_open2(bus_, SOCK_CLOEXEC));
  if (socket_ == nullptr || mnl_socket_bind(socket_.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
    const int error = errno;
    socket_.reset();
    return absl::ErrnoToStatus(error, "cannot open a netlink socket");
  }
  return absl::OkStatus();
}

absl::Status NetlinkSocket::Run(nlmsghdr* request, std::string_view what,
                                const std::function<void(const nlmsghdr*)>& each) {
  if (const absl::Status opened = Open(); !opened.ok()) return opened;
  const auto failed = [&](int error) { return absl::ErrnoToStatus(error, StrCat("cannot ", what)); };
  request->nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(socket_.get(), request, request->nlmsg_len) < 0) return failed(errno);
  std::vector<char> buffer(kReceiveBytes);
  const unsigned port = mnl_socket_get_portid(socket_.get());
  auto* const callback_data = const_cast<std::function<void(const nlmsghdr*)>*>(&each);
  while (true) {
    const ssize_t got = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno);
    const int state = mnl_cb_run(buffer.data(), static_cast<size_t>(got), request->nlmsg_seq, port, OnMessage,
                                 callback_data);
    if (state < 0 && errno == EPROTO) continue;  // a late answer to an earlier request
    if (state < 0) return failed(errno);
    if (state == MNL_CB_STOP) return absl::OkStatus();
  }
}

}  // namespace cordon::platform
