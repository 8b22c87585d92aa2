#include "platform/linux/processes/connector_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <string_view>
#include <thread>
#include <utility>

#include "common/base/status.h"
#include "platform/api/system.h"
#include "platform/linux/processes/namespaces.h"

namespace cordon::platform {
namespace {

constexpr int kReceiveBytes = 8 << 20;
constexpr int kAnswerMillis = 1000;
constexpr int kMostAtOnce = 65'536;

absl::Status Failed(std::string_view what, int error) {
  return absl::ErrnoToStatus(error, StrCat("process connector: cannot ", what));
}

// The connector exists in the machine's first network namespace only; a socket stays in the one it was made
// in.
Fd OpenSocket() {
  const auto open_here = [] {
    return Fd(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR));
  };
  if (InInitialNetworkNamespace()) return open_here();
  Fd opened;
  std::thread([&] {
    const Fd first(open("/proc/1/ns/net", O_RDONLY | O_CLOEXEC));
    if (first.Valid() && setns(first.Get(), CLONE_NEWNET) == 0) opened = open_here();
  }).join();
  return opened;
}

absl::Status Listen(const Fd& fd) {
  const proc_cn_mcast_op operation = PROC_CN_MCAST_LISTEN;
  std::array<char, NLMSG_LENGTH(sizeof(cn_msg) + sizeof(operation))> request{};
  const nlmsghdr head{.nlmsg_len = static_cast<uint32_t>(request.size()), .nlmsg_type = NLMSG_DONE};
  const cb_id id{CN_IDX_PROC, CN_VAL_PROC};
  const auto length = static_cast<uint16_t>(sizeof(operation));
  std::memcpy(request.data(), &head, sizeof(head));
  std::memcpy(request.data() + NLMSG_HDRLEN + offsetof(cn_msg, id), &id, sizeof(id));
  std::memcpy(request.data() + NLMSG_HDRLEN + offsetof(cn_msg, len), &length, sizeof(length));
  std::memcpy(request.data() + NLMSG_HDRLEN + sizeof(cn_msg), &operation, sizeof(operation));
  if (send(fd.Get(), request.data(), request.size(), 0) < 0) {
    return Failed("subscribe (needs root or CAP_NET_ADMIN)", errno);
  }
  // The kernel acknowledges; a kernel without CONFIG_PROC_EVENTS says nothing.
  pollfd wait{fd.Get(), POLLIN, 0};
  if (poll(&wait, 1, kAnswerMillis) != 1) {
    return absl::UnavailableError(
        "process connector: this kernel does not answer (CONFIG_PROC_EVENTS is missing)");
  }
  return absl::OkStatus();
}

absl::Status TakeChangesAlone(const Fd& fd) {
  constexpr auto kWhat = NLMSG_HDRLEN + sizeof(cn_msg) + offsetof(proc_event, what);
  const auto jump_if = [](uint32_t kind, uint8_t ahead) {  // the filter reads in network order
    return sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(kind), ahead, 0);
  };
  std::array<sock_filter, 6> code{
      {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kWhat), jump_if(proc_event::PROC_EVENT_UID, 3),
       jump_if(proc_event::PROC_EVENT_GID, 2), jump_if(proc_event::PROC_EVENT_PTRACE, 1),
       BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 0xffffffff)}};
  const sock_fprog filter{.len = code.size(), .filter = code.data()};
  if (setsockopt(fd.Get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0) {
    return Failed("choose its events", errno);
  }
  return absl::OkStatus();
}

absl::StatusOr<Fd> Subscribe(ConnectorSocket::Wanted wanted) {
  Fd fd = OpenSocket();
  if (!fd.Valid()) return Failed("open its netlink socket (CONFIG_CONNECTOR)", errno);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = CN_IDX_PROC;
  if (bind(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return Failed("join its group (needs root or CAP_NET_ADMIN)", errno);
  }
  // FORCE passes the system's limit, and needs CAP_NET_ADMIN; what remains without it is smaller, no error.
  if (setsockopt(fd.Get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes, sizeof(kReceiveBytes)) != 0) {
    setsockopt(fd.Get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBytes, sizeof(kReceiveBytes));
  }
  CORDON_RETURN_IF_ERROR(Listen(fd));
  // After the answer to Listen, which would be dropped too.
  if (wanted == ConnectorSocket::Wanted::kChanges) CORDON_RETURN_IF_ERROR(TakeChangesAlone(fd));
  return fd;
}

int64_t SuspendedNanos(const Clock& clock) {
  timespec monotonic{};
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  return clock.BootNanos() - (int64_t{monotonic.tv_sec} * kNanosPerSecond + monotonic.tv_nsec);
}

}  // namespace

RawProcessFact ChangeOf(const ConnectorEvent& event) {
  if (event.kind == ConnectorEvent::kTrace) {
    return RawTrace{.tracer = {.pid = event.tracer_pid}, .target = {.pid = event.pid}};
  }
  RawPrivilegeChange change{.process = {.pid = event.pid}, .before = {}, .after = {}};
  (event.kind == ConnectorEvent::kUserId ? change.after.uid : change.after.gid) = event.effective_id;
  return change;
}

ConnectorSocket::ConnectorSocket(Fd socket)
    : clock_(MakeSystemClock()), socket_(std::move(socket)), last_read_(clock_->BootNanos()) {}

absl::StatusOr<ConnectorSocket> ConnectorSocket::Open(Wanted wanted) {
  CORDON_ASSIGN_OR_RETURN(Fd socket, Subscribe(wanted));
  return ConnectorSocket(std::move(socket));
}

void ConnectorSocket::Read(const std::function<void(const ConnectorEvent&, int64_t)>& take,
                           const std::function<void(const RawLoss&)>& lost) {
  const int64_t suspended = SuspendedNanos(*clock_);
  // Bounded: a kernel that is as fast as the reader would keep it here. What is left is read at the next
  // look.
  for (int datagram = 0; datagram < kMostAtOnce; ++datagram) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof(from);
    const ssize_t got = recvfrom(socket_.Get(), buffer_.data(), buffer_.size(), 0,
                                 reinterpret_cast<sockaddr*>(&from), &from_size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOBUFS) {  // TEL-1: the kernel does not say how many
      lost({.count = 0, .first_boottime_nanos = last_read_, .last_boottime_nanos = clock_->BootNanos()});
      continue;
    }
    if (got < 0) return;
    last_read_ = clock_->BootNanos();
    if (from.nl_pid != 0) continue;  // not the kernel
    for (const ConnectorEvent& event : DecodeConnector({buffer_.data(), static_cast<size_t>(got)})) {
      take(event, event.monotonic_nanos + suspended);
    }
  }
}

}  // namespace cordon::platform
