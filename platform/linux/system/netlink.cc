#include "platform/linux/system/netlink.h"

#include <sys/socket.h>

#include <algorithm>
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

template <typename Each>
void ForEachMessage(std::span<char> bytes, const Each& each) {
  auto* message = reinterpret_cast<nlmsghdr*>(bytes.data());
  for (int left = static_cast<int>(bytes.size()); mnl_nlmsg_ok(message, left);
       message = mnl_nlmsg_next(message, &left)) {
    each(message);
  }
}

// Libmnl ends at a message that tells that the listing was interrupted, and leaves the rest unread. Returns
// whether one did.
bool TakeInterruption(std::span<char> bytes) {
  bool interrupted = false;
  ForEachMessage(bytes, [&](nlmsghdr* message) {
    interrupted = interrupted || (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    message->nlmsg_flags = static_cast<uint16_t>(message->nlmsg_flags & ~NLM_F_DUMP_INTR);
  });
  return interrupted;
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
  bool interrupted = false;
  while (true) {
    const ssize_t got = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno);
    interrupted = TakeInterruption({buffer.data(), static_cast<size_t>(got)}) || interrupted;
    const int state = mnl_cb_run(buffer.data(), static_cast<size_t>(got), request->nlmsg_seq, port, OnMessage,
                                 callback_data);
    if (state < 0 && errno == EPROTO) continue;  // a late answer to an earlier request
    if (state < 0) return failed(errno);
    if (state == MNL_CB_STOP) return interrupted ? failed(EINTR) : absl::OkStatus();
  }
}

absl::Status NetlinkSocket::RunBatch(std::span<char> batch, std::string_view what) {
  if (const absl::Status opened = Open(); !opened.ok()) return opened;
  const auto failed = [&](int error) { return absl::ErrnoToStatus(error, StrCat("cannot ", what)); };
  const uint32_t first = sequence_ + 1;
  size_t waiting = 0;
  ForEachMessage(batch, [&](nlmsghdr* message) {
    message->nlmsg_seq = ++sequence_;
    if ((message->nlmsg_flags & NLM_F_ACK) != 0) ++waiting;
  });
  const int room = static_cast<int>(batch.size() + kReceiveBytes);
  setsockopt(mnl_socket_get_fd(socket_.get()), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
  if (mnl_socket_sendto(socket_.get(), batch.data(), batch.size()) < 0) return failed(errno);
  std::vector<char> buffer(kReceiveBytes);
  int error = 0;
  while (waiting > 0) {
    const ssize_t got = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno);
    ForEachMessage({buffer.data(), static_cast<size_t>(got)}, [&](const nlmsghdr* message) {
      const bool ours = message->nlmsg_seq >= first && message->nlmsg_seq <= sequence_;
      if (!ours || message->nlmsg_type != NLMSG_ERROR) return;
      const int told = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
      if (error == 0) error = told;
      // An answer to the begin is one about the whole.
      waiting = message->nlmsg_seq == first && told != 0 ? 0 : waiting - std::min<size_t>(waiting, 1);
    });
  }
  return error == 0 ? absl::OkStatus() : failed(error);
}

}  // namespace cordon::platform
