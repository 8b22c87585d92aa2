#include "platform/linux/flows/ebpf_flow_source.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "platform/api/socket_owners.h"
#include "platform/api/system.h"
#include "platform/linux/bpf/loading.h"
#include "platform/linux/connections/listeners.h"
#include "platform/linux/flows/flow_decode.h"
#include "platform/linux/flows/flow_sampler.h"
#include "platform/linux/processes/drain_loop.h"
#include "platform/linux/processes/namespaces.h"
#include "platform/linux/processes/record_ring.h"
#include "platform/linux/system/agent_mark.h"
#include "platform/linux/system/fd.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wpedantic"
#include "flows.skel.h"
#pragma GCC diagnostic pop

namespace cordon::platform {
namespace {

constexpr std::chrono::milliseconds kPollInterval{1'000};
constexpr int64_t kSampleEveryNanos = 600 * kNanosPerSecond;

absl::Status LoadError(int error, std::string_view what) {
  return BpfError("eBPF flow source", "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN", what, error);
}

// A mount of the unified cgroup hierarchy that nobody else sees: its root, wherever the system has mounted
// it, or not at all.
absl::StatusOr<Fd> OpenCgroupRoot() {
  constexpr unsigned kCloseOnExec = 1;  // FSOPEN_CLOEXEC, FSMOUNT_CLOEXEC
  constexpr unsigned kCreate = 6;       // FSCONFIG_CMD_CREATE
  const Fd context(static_cast<int>(syscall(SYS_fsopen, "cgroup2", kCloseOnExec)));
  if (!context.Valid()) return LoadError(errno, "reach the unified cgroup hierarchy");
  if (syscall(SYS_fsconfig, context.Get(), kCreate, nullptr, nullptr, 0) != 0) {
    return LoadError(errno, "reach the unified cgroup hierarchy");
  }
  Fd root(static_cast<int>(syscall(SYS_fsmount, context.Get(), kCloseOnExec, 0)));
  if (!root.Valid()) return LoadError(errno, "reach the unified cgroup hierarchy");
  return root;
}

// 0 before Linux 5.14.
uint64_t OwnNetNamespaceCookie() {
  constexpr int kNetnsCookie = 71;  // SO_NETNS_COOKIE
  const Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (!any.Valid() || getsockopt(any.Get(), SOL_SOCKET, kNetnsCookie, &cookie, &size) != 0) return 0;
  return cookie;
}

uint32_t OwnNetNamespaceNumber() {
  struct stat own{};
  return stat("/proc/thread-self/ns/net", &own) == 0 ? static_cast<uint32_t>(own.st_ino) : 0;
}

bool KernelHasSendTracepoint() {
  return libbpf_find_vmlinux_btf_id("sock_send_length", BPF_TRACE_RAW_TP) > 0;
}

}  // namespace

class EbpfFlowSource::Impl {
 public:
  explicit Impl(EbpfFlowOptions options) : options_(options) {}

  absl::Status Start(std::function<void(std::span<RawFlow>)> deliver) {
    deliver_ = std::move(deliver);
    at_connect_ = options_.udp_at_connect || !KernelHasSendTracepoint();
    CORDON_RETURN_IF_ERROR(Load());
    const int ring = bpf_map__fd(skeleton_->maps.ring);
    CORDON_RETURN_IF_ERROR(
        Annotate(ring_.Map(ring, bpf_map__max_entries(skeleton_->maps.ring)), "eBPF flow source"));
    sampler_.emplace();
    CORDON_RETURN_IF_ERROR(Attach());
    NoteListeners();
    return loop_.Start({.fd = ring,
                        .interval = kPollInterval,
                        .begin = [this] { Sample(); },
                        .drain = [this] { Drain(); },
                        .end = [this] { links_.clear(); }});
  }

  void Stop() { loop_.Stop(); }
  void Flush() { loop_.Flush(); }

  uint64_t Lost() const {
    if (skeleton_ == nullptr) return 0;
    return std::atomic_ref(skeleton_->bss->lost).load(std::memory_order_relaxed) +
           bad_.load(std::memory_order_relaxed);
  }

  FlowSourceInfo Info() const {
    FlowSourceInfo info{.name = "ebpf", .fallback = false, .limitations = {}};
    info.limitations.emplace_back(
        "Not seen are flows of containers and virtual machines that have a network of their own, and UDP "
        "that "
        "the kernel itself speaks (WireGuard, NFS).");
    info.tells_udp = no_udp_.empty();
    if (!no_udp_.empty()) info.limitations.push_back(StrCat("UDP is not seen: ", no_udp_, "."));
    if (at_connect_) {
      info.limitations.emplace_back("A UDP peer is noted when a socket is connected to it, used or not.");
    }
    if (!InInitialPidNamespace()) {
      info.limitations.emplace_back("The agent runs in a PID namespace: programs of flows are not found.");
    }
    return info;
  }

 private:
  absl::Status Load() {
    const BpfLoading loading;
    skeleton_.reset(flows_bpf__open());
    if (skeleton_ == nullptr) return LoadError(errno, "open the programs");
    skeleton_->rodata->own_netns = OwnNetNamespaceNumber();
    skeleton_->rodata->own_netns_cookie = OwnNetNamespaceCookie();
    skeleton_->rodata->wake_at_bytes = bpf_map__max_entries(skeleton_->maps.ring) / 2;
    bpf_program__set_autoload(at_connect_ ? skeleton_->progs.on_send : skeleton_->progs.on_udp4_connect,
                              false);
    if (!at_connect_) bpf_program__set_autoload(skeleton_->progs.on_udp6_connect, false);
    if (const int error = flows_bpf__load(skeleton_.get()); error != 0) {
      return LoadError(-error, "load the programs");
    }
    return absl::OkStatus();
  }

  absl::Status Attach() {
    CORDON_RETURN_IF_ERROR(Keep(bpf_program__attach(skeleton_->progs.on_tcp_state)));
    if (!at_connect_) CORDON_RETURN_IF_ERROR(Keep(bpf_program__attach(skeleton_->progs.on_send)));
    if (const absl::Status udp = AttachToCgroups(); !udp.ok())
      no_udp_ = Message(udp);  // TCP is worth having alone
    return absl::OkStatus();
  }

  absl::Status AttachToCgroups() {
    if (skeleton_->rodata->own_netns_cookie == 0) {
      return absl::UnavailableError(
          "this kernel does not tell one network namespace from another (before 5.14)");
    }
    CORDON_ASSIGN_OR_RETURN(const Fd root, OpenCgroupRoot());
    std::vector<bpf_program*> programs = {skeleton_->progs.on_udp4_send, skeleton_->progs.on_udp6_send,
                                          skeleton_->progs.on_udp4_read, skeleton_->progs.on_udp6_read};
    if (at_connect_) {
      programs.push_back(skeleton_->progs.on_udp4_connect);
      programs.push_back(skeleton_->progs.on_udp6_connect);
    }
    for (bpf_program* const program : programs) {
      CORDON_RETURN_IF_ERROR(Keep(bpf_program__attach_cgroup(program, root.Get())));
    }
    return absl::OkStatus();
  }

  absl::Status Keep(bpf_link* link) {
    if (link == nullptr) return LoadError(errno, "attach the programs");
    links_.emplace_back(link);
    return absl::OkStatus();
  }

  // Who listened before the programs were there.
  void NoteListeners() {
    const absl::StatusOr<std::vector<Listener>> listeners = ListTcpListeners();
    if (!listeners.ok()) return;  // their connections are told without a program
    std::unordered_set<uint64_t> keys;
    for (const Listener& listener : *listeners) keys.insert(listener.owner_key);
    const auto owners = FindSocketOwners(keys);
    for (const Listener& listener : *listeners) {
      const auto owner = owners.find(listener.owner_key);
      if (owner == owners.end()) continue;
      bpf_map_update_elem(bpf_map__fd(skeleton_->maps.listening), &listener.port, &owner->second.pid,
                          BPF_ANY);
    }
  }

  void Drain() {
    ring_.Consume([this](std::span<const char> record) { Take(record); });
    Deliver();
    if (clock_->BootNanos() - sampled_boot_nanos_ >= kSampleEveryNanos) Sample();
  }

  // What stays open for long tells nothing by itself. What nobody holds any more (waiting to be forgotten,
  // after its end) has been told with its process, or was over before the start.
  void Sample() {
    sampled_boot_nanos_ = clock_->BootNanos();
    if (absl::StatusOr<std::vector<RawFlow>> flows = sampler_->Sample(); flows.ok())
      batch_ = *std::move(flows);
    std::erase_if(batch_, [](const RawFlow& flow) { return flow.pid == 0; });
    Deliver();
  }

  void Deliver() {
    if (!batch_.empty()) deliver_(batch_);
    batch_.clear();
  }

  void Take(std::span<const char> record) {
    if (auto flow = DecodeFlow(record, kAgentSocketMark)) {
      batch_.push_back(*std::move(flow));
    } else {
      bad_.fetch_add(1, std::memory_order_relaxed);
    }
  }

  const EbpfFlowOptions options_;
  const std::unique_ptr<Clock> clock_ = MakeSystemClock();
  bool at_connect_ = false;
  std::string no_udp_;  // why
  std::function<void(std::span<RawFlow>)> deliver_;
  std::unique_ptr<flows_bpf, BpfDestroyer<flows_bpf__destroy>> skeleton_;
  RecordRing ring_;
  std::vector<BpfLink> links_;
  std::optional<FlowSampler> sampler_;

  // The reader thread's own.
  std::vector<RawFlow> batch_;
  int64_t sampled_boot_nanos_ = 0;

  std::atomic<uint64_t> bad_ = 0;
  DrainLoop loop_;  // last: its thread uses all of the above
};

EbpfFlowSource::EbpfFlowSource(EbpfFlowOptions options) : impl_(std::make_unique<Impl>(options)) {}
EbpfFlowSource::~EbpfFlowSource() = default;

absl::Status EbpfFlowSource::Start(std::function<void(std::span<RawFlow>)> deliver) {
  return impl_->Start(std::move(deliver));
}
void EbpfFlowSource::Stop() {
  impl_->Stop();
}
void EbpfFlowSource::Flush() {
  impl_->Flush();
}
uint64_t EbpfFlowSource::Lost() const {
  return impl_->Lost();
}
FlowSourceInfo EbpfFlowSource::Info() const {
  return impl_->Info();
}

}  // namespace cordon::platform
