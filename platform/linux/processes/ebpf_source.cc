#include "platform/linux/processes/ebpf_source.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "platform/api/system.h"
#include "platform/linux/processes/decode.h"
#include "platform/linux/processes/drain_loop.h"
#include "platform/linux/processes/namespaces.h"
#include "platform/linux/processes/proc_files.h"
#include "platform/linux/processes/record.h"
#include "platform/linux/processes/record_ring.h"
#include "platform/linux/system/fd.h"
#include "platform/linux/system/signals.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wpedantic"
#include "processes.skel.h"
#pragma GCC diagnostic pop

namespace cordon::platform {
namespace {

constexpr std::chrono::milliseconds kPollInterval{100};
constexpr size_t kBatch = 1024;

// A core starts some 700 processes a second at the most, with a kilobyte of records each: a megabyte per core
// is more than a second in which the reader does not run at all.
uint32_t RingBytesFor(long cores) {
  constexpr uint64_t kPerCore = 1 << 20;
  const auto wanted = static_cast<uint64_t>(std::max(cores, 1L)) * kPerCore;
  return static_cast<uint32_t>(std::bit_floor(std::clamp<uint64_t>(wanted, 1 << 20, 8 << 20)));
}

absl::Status LoadError(int error, std::string_view what) {
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    return absl::UnavailableError(
        "eBPF process source: this kernel has no type information (/sys/kernel/btf/vmlinux, "
        "CONFIG_DEBUG_INFO_BTF)");
  }
  if (error == EPERM || error == EACCES) {
    return absl::PermissionDeniedError(StrCat("eBPF process source: cannot ", what,
                                              ": needs root or CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE, "
                                              "and a kernel that is not locked down"));
  }
  return absl::UnavailableError(
      StrCat("eBPF process source: cannot ", what,
             " (kernel 5.10 or later is needed): ", std::system_category().message(error)));
}

struct SkeletonDeleter {
  void operator()(processes_bpf* skeleton) const { processes_bpf__destroy(skeleton); }
};

// What Info says even when it is not started.
ProcessSourceInfo EbpfInfo() {
  ProcessSourceInfo info{.name = "ebpf", .fallback = false, .limitations = {}};
  if (!InInitialPidNamespace()) {
    info.limitations.emplace_back(
        "The agent runs in a PID namespace: its pids are the host's, which /proc here does not show, and the "
        "snapshot "
        "covers this namespace alone.");
  }
  return info;
}

}  // namespace

class EbpfProcessSource::Impl {
 public:
  explicit Impl(EbpfOptions options)
      : ring_bytes_(options.ring_bytes != 0 ? options.ring_bytes
                                            : RingBytesFor(sysconf(_SC_NPROCESSORS_ONLN))) {}

  absl::Status Start(std::function<void(std::span<RawProcessEvent>)> deliver) {
    deliver_ = std::move(deliver);
    CORDON_RETURN_IF_ERROR(Load());
    CORDON_RETURN_IF_ERROR(
        Annotate(ring_.Map(bpf_map__fd(skeleton_->maps.ring), ring_bytes_), "eBPF process source"));
    last_loss_check_ = clock_->BootNanos();
    if (processes_bpf__attach(skeleton_.get()) != 0) return LoadError(errno, "attach the programs");
    return loop_.Start({.fd = bpf_map__fd(skeleton_->maps.ring),
                        .interval = kPollInterval,
                        .begin = [this] { DeliverSnapshot(); },
                        .drain = [this] { Drain(); },
                        .end = [this] { processes_bpf__detach(skeleton_.get()); }});
  }

  void Stop() { loop_.Stop(); }
  void Flush() { loop_.Flush(); }

  uint64_t Attempted() const {
    uint64_t sum = 0;
    if (skeleton_ == nullptr) return sum;
    for (const cordon_loss& kind : skeleton_->bss->loss) {
      sum += std::atomic_ref(const_cast<uint64_t&>(kind.attempted)).load(std::memory_order_relaxed);
    }
    return sum - merged_;
  }

 private:
  absl::Status Load() {
    const SignalsHeldBack held_back;
    // libbpf prints to standard error by default; what matters is in the status.
    libbpf_set_print(nullptr);
    skeleton_.reset(processes_bpf__open());
    if (skeleton_ == nullptr) return LoadError(errno, "open the program");
    skeleton_->rodata->wake_at_bytes = ring_bytes_ / 8;
    if (bpf_map__set_max_entries(skeleton_->maps.ring, ring_bytes_) != 0)
      return LoadError(errno, "size the ring");
    if (const int error = processes_bpf__load(skeleton_.get()); error != 0)
      return LoadError(-error, "load the program");
    return absl::OkStatus();
  }

  void Drain() {
    ring_.Consume([this](std::span<const char> bytes) { Take(bytes); });
    CheckLoss();
    DeliverBatch();
  }

  void Take(std::span<const char> bytes) {
    auto decoded = DecodeRecord(bytes);
    if (!decoded.ok()) {
      spdlog::error("process source: {}", Message(decoded.status()));
      AddLoss({1, clock_->BootNanos(), clock_->BootNanos()});
      return;
    }
    if (decoded->argv_missing) FillArguments(&decoded->event);
    if (!snapshot_.empty() && IsInSnapshot(decoded->event)) {
      ++merged_;
      return;
    }
    batch_.push_back(std::move(decoded->event));
    if (batch_.size() >= kBatch) DeliverBatch();
  }

  // A process that was born or changed its program while the snapshot was taken is in both. Once an event is
  // younger than the snapshot there are no more of these.
  bool IsInSnapshot(const RawProcessEvent& event) {
    if (event.boottime_nanos > snapshot_end_) {
      snapshot_.clear();
      return false;
    }
    if (const auto* fork = std::get_if<RawFork>(&event.fact)) return snapshot_.contains(fork->child);
    if (const auto* exec = std::get_if<RawExec>(&event.fact)) {
      const auto seen = snapshot_.find(exec->process);
      return seen != snapshot_.end() && event.boottime_nanos <= seen->second;
    }
    return false;
  }

  void DeliverBatch() {
    if (batch_.empty()) return;
    deliver_(batch_);
    batch_.clear();
  }

  void AddLoss(const RawLoss& loss) { batch_.push_back({loss.last_boottime_nanos, loss}); }

  // TEL-1: the kernel side counts what did not fit; here the difference to the last look becomes a fact.
  void CheckLoss() {
    const int64_t now = clock_->BootNanos();
    for (size_t kind = 0; kind < CORDON_KINDS; ++kind) {
      cordon_loss& shared = skeleton_->bss->loss[kind];
      const uint64_t lost = std::atomic_ref(shared.lost).load(std::memory_order_acquire);
      if (lost == lost_seen_[kind]) continue;
      const auto first = static_cast<int64_t>(std::atomic_ref(shared.first_boottime).exchange(0));
      const auto last = static_cast<int64_t>(std::atomic_ref(shared.last_boottime).load());
      AddLoss({lost - lost_seen_[kind], first != 0 ? first : last_loss_check_, std::max(first, last)});
      lost_seen_[kind] = lost;
    }
    last_loss_check_ = now;
  }

  void FillArguments(RawProcessEvent* event) {
    auto* exec = std::get_if<RawExec>(&event->fact);
    if (exec == nullptr) return;
    exec->argv_from_proc = !exec->from_snapshot;
    exec->argv_complete = false;
    auto arguments = ReadProcArguments(exec->process.pid);
    const auto start = ReadProcStart(exec->process.pid);
    if (!arguments.has_value() || !start.has_value()) return;
    if (!IsSameStart(*start, exec->process.start_boottime_nanos)) return;
    exec->argv = std::move(arguments->argv);
    exec->argv_total_bytes = arguments->bytes;
    exec->argv_complete = arguments->complete;
  }

  // /proc rounds down to clock ticks.
  static bool IsSameStart(int64_t proc_nanos, int64_t exact_nanos) {
    return proc_nanos <= exact_nanos && exact_nanos - proc_nanos < TicksToNanos(1);
  }

  void DeliverSnapshot() {
    const Fd iterator(bpf_iter_create(bpf_link__fd(skeleton_->links.snapshot)));
    std::string bytes;
    std::array<char, 65'536> piece;
    ssize_t got = 0;
    while (iterator.Valid() && (got = read(iterator.Get(), piece.data(), piece.size())) > 0) {
      bytes.append(piece.data(), static_cast<size_t>(got));
    }
    if (!iterator.Valid() || got < 0) {
      spdlog::error("process source: cannot list what runs already: {}",
                    std::system_category().message(errno));
      AddLoss({0, 0, clock_->BootNanos()});
    }
    TakeSnapshot(bytes);
    snapshot_end_ = clock_->BootNanos();
    DeliverBatch();
  }

  void TakeSnapshot(std::span<const char> bytes) {
    while (bytes.size() >= sizeof(cordon_head)) {
      cordon_head head;
      std::memcpy(&head, bytes.data(), sizeof(head));
      if (head.size < sizeof(head) || head.size > bytes.size()) break;
      auto decoded = DecodeRecord(bytes.first(head.size));
      bytes = bytes.subspan(head.size);
      auto* exec = decoded.ok() ? std::get_if<RawExec>(&decoded->event.fact) : nullptr;
      if (exec == nullptr) continue;
      snapshot_[exec->process] = decoded->event.boottime_nanos;
      if (decoded->argv_missing) FillArguments(&decoded->event);
      batch_.push_back(std::move(decoded->event));
    }
  }

  const uint32_t ring_bytes_;
  const std::unique_ptr<Clock> clock_ = MakeSystemClock();
  std::function<void(std::span<RawProcessEvent>)> deliver_;
  std::unique_ptr<processes_bpf, SkeletonDeleter> skeleton_;
  RecordRing ring_;

  // The reader thread's own.
  std::vector<RawProcessEvent> batch_;
  std::map<ProcessKey, int64_t> snapshot_;  // and when each was looked at
  int64_t snapshot_end_ = 0;
  int64_t last_loss_check_ = 0;
  std::array<uint64_t, CORDON_KINDS> lost_seen_{};

  std::atomic<uint64_t> merged_ = 0;  // records that said what the snapshot had said

  DrainLoop loop_;  // last: its thread uses all of the above
};

EbpfProcessSource::EbpfProcessSource(EbpfOptions options) : impl_(std::make_unique<Impl>(options)) {}
EbpfProcessSource::~EbpfProcessSource() = default;

absl::Status EbpfProcessSource::Start(std::function<void(std::span<RawProcessEvent>)> deliver) {
  return impl_->Start(std::move(deliver));
}
void EbpfProcessSource::Stop() {
  impl_->Stop();
}
void EbpfProcessSource::Flush() {
  impl_->Flush();
}
ProcessSourceInfo EbpfProcessSource::Info() const {
  return EbpfInfo();
}
uint64_t EbpfProcessSource::Attempted() const {
  return impl_->Attempted();
}

}  // namespace cordon::platform
