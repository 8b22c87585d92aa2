#include "platform/linux/processes/connector_source.h"

#include <fcntl.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "platform/api/system.h"
#include "platform/linux/processes/connector_decode.h"
#include "platform/linux/processes/drain_loop.h"
#include "platform/linux/processes/namespaces.h"
#include "platform/linux/processes/proc_files.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {
namespace {

constexpr std::chrono::milliseconds kInterval{1000};
constexpr int kReceiveBytes = 8 << 20;
constexpr int kAnswerMillis = 1000;
constexpr size_t kBatch = 256;

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

absl::StatusOr<Fd> Subscribe() {
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
  return fd;
}

int64_t SuspendedNanos(const Clock& clock) {
  timespec monotonic{};
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  return clock.BootNanos() - (int64_t{monotonic.tv_sec} * kNanosPerSecond + monotonic.tv_nsec);
}

}  // namespace

class ConnectorProcessSource::Impl {
 public:
  absl::Status Start(std::function<void(std::span<RawProcessEvent>)> deliver) {
    deliver_ = std::move(deliver);
    CORDON_ASSIGN_OR_RETURN(socket_, Subscribe());
    last_read_ = clock_->BootNanos();
    return loop_.Start({.fd = socket_.Get(),
                        .interval = kInterval,
                        .begin = [this] { DeliverSnapshot(); },
                        .drain = [this] { Drain(); },
                        .end = [] {}});
  }

  void Stop() { loop_.Stop(); }
  void Flush() { loop_.Flush(); }

 private:
  struct Known {
    ProcessKey key;
    ProcessKey parent;
    int64_t in_snapshot_at = 0;  // 0 = not in it
  };

  void DeliverSnapshot() {
    std::vector<uint32_t> pids = ListProcPids();
    std::sort(pids.begin(), pids.end());
    for (const uint32_t pid : pids) {
      const int64_t now = clock_->BootNanos();
      auto exec = ReadProcProcess(pid);
      if (!exec.has_value()) continue;
      exec->from_snapshot = true;
      known_[pid] = {exec->process, exec->parent, now};
      Add(now, std::move(*exec));
    }
    DeliverBatch();
  }

  void Drain() {
    suspended_ = SuspendedNanos(*clock_);
    for (;;) {
      sockaddr_nl from{};
      socklen_t from_size = sizeof(from);
      const ssize_t got = recvfrom(socket_.Get(), buffer_.data(), buffer_.size(), 0,
                                   reinterpret_cast<sockaddr*>(&from), &from_size);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == ENOBUFS) {  // TEL-1: the kernel does not say how many
        Add(clock_->BootNanos(), RawLoss{0, last_read_, clock_->BootNanos()});
        continue;
      }
      if (got < 0) break;
      last_read_ = clock_->BootNanos();
      if (from.nl_pid != 0) continue;  // not the kernel
      for (const ConnectorEvent& event : DecodeConnector({buffer_.data(), static_cast<size_t>(got)}))
        Take(event);
    }
    ReleaseEnds();
    DeliverBatch();
  }

  void Take(const ConnectorEvent& event) {
    const int64_t when = event.monotonic_nanos + suspended_;
    switch (event.kind) {
      case ConnectorEvent::kFork:
        return TakeFork(event, when);
      case ConnectorEvent::kExec:
        return TakeExec(event, when);
      case ConnectorEvent::kExit:
        return TakeExit(event, when);
    }
  }

  // The first thread has ended. The process goes on when it has others, or when another one has called exec
  // and takes the first one's place; then its end is held back until it is true.
  void TakeExit(const ConnectorEvent& event, int64_t when) {
    RawExit exit{.process = Learn(event.pid, 0, when).key};
    SetWaitStatus(event.status, &exit);
    held_ends_[event.pid] = {when, exit};
    ReleaseEnd(event.pid, IsProcAlive(event.pid));
  }

  void ReleaseEnd(uint32_t pid, bool alive) {
    const auto held = held_ends_.find(pid);
    if (alive || held == held_ends_.end()) return;
    Add(held->second.first, held->second.second);
    held_ends_.erase(held);
    known_.erase(pid);
  }

  void ReleaseEnds() {
    std::vector<uint32_t> pids;
    for (const auto& held : held_ends_) pids.push_back(held.first);
    for (const uint32_t pid : pids) ReleaseEnd(pid, IsProcAlive(pid));
  }

  void TakeFork(const ConnectorEvent& event, int64_t when) {
    const auto known = known_.find(event.pid);
    if (known != known_.end() && when <= known->second.in_snapshot_at) return;
    ReleaseEnd(event.pid, false);
    known_.erase(event.pid);  // an end that was lost
    const Known& child = Learn(event.pid, event.parent_pid, when);
    Add(when, RawFork{.child = child.key, .parent = child.parent});
  }

  void TakeExec(const ConnectorEvent& event, int64_t when) {
    held_ends_.erase(event.pid);
    const Known known = Learn(event.pid, 0, when);
    if (when <= known.in_snapshot_at) return;
    auto exec = ReadProcProcess(event.pid);
    if (!exec.has_value()) {
      exec = RawExec{};
      exec->argv_complete = false;
      exec->argv_from_proc = true;
    }
    exec->process = known.key;
    if (known.parent.pid != 0) exec->parent = known.parent;
    Add(when, std::move(*exec));
  }

  // The identity of a pid: what was learnt first stays for as long as it lives, for /proc can not be asked
  // again.
  Known& Learn(uint32_t pid, uint32_t parent_pid, int64_t when) {
    const auto [at, is_new] = known_.try_emplace(pid);
    if (!is_new) return at->second;
    const int64_t tick = TicksToNanos(1);
    at->second.key = {pid, ReadProcStart(pid).value_or(when / tick * tick)};
    if (const auto parent = known_.find(parent_pid); parent != known_.end()) {
      at->second.parent = parent->second.key;
    } else if (parent_pid != 0) {
      at->second.parent = {parent_pid, ReadProcStart(parent_pid).value_or(0)};
    }
    return at->second;
  }

  template <typename Fact>
  void Add(int64_t when, Fact&& fact) {
    batch_.push_back({when, std::forward<Fact>(fact)});
    if (batch_.size() >= kBatch) DeliverBatch();
  }

  void DeliverBatch() {
    if (batch_.empty()) return;
    deliver_(batch_);
    batch_.clear();
  }

  const std::unique_ptr<Clock> clock_ = MakeSystemClock();
  std::function<void(std::span<RawProcessEvent>)> deliver_;
  Fd socket_;

  // The reader thread's own.
  std::unordered_map<uint32_t, Known> known_;  // processes that run
  std::unordered_map<uint32_t, std::pair<int64_t, RawExit>> held_ends_;
  std::vector<RawProcessEvent> batch_;
  std::array<char, 8192> buffer_{};
  int64_t suspended_ = 0;
  int64_t last_read_ = 0;

  DrainLoop loop_;  // last: its thread uses all of the above
};

ConnectorProcessSource::ConnectorProcessSource() : impl_(std::make_unique<Impl>()) {}
ConnectorProcessSource::~ConnectorProcessSource() = default;

absl::Status ConnectorProcessSource::Start(std::function<void(std::span<RawProcessEvent>)> deliver) {
  return impl_->Start(std::move(deliver));
}
void ConnectorProcessSource::Stop() {
  impl_->Stop();
}
void ConnectorProcessSource::Flush() {
  impl_->Flush();
}

ProcessSourceInfo ConnectorProcessSource::Info() const {
  ProcessSourceInfo info{.name = "proc-connector", .fallback = true, .limitations = {}};
  info.limitations = {
      "A process that ends within milliseconds may be known by its pid alone: program and arguments are read "
      "from "
      "/proc after the fact.",
      "Arguments, folder and user are those at the time of reading and may belong to a later exec.",
      "CPU time and peak memory of ended processes are not known.",
      "The end of a process is seen up to a second late.",
      "When the kernel's buffer overflows, how many events were lost is not known.",
  };
  if (!InInitialPidNamespace()) {
    info.limitations.emplace_back(
        "The agent runs in a PID namespace: /proc here does not show the machine's processes.");
  }
  return info;
}

}  // namespace cordon::platform
