#include "platform/linux/processes/ebpf_source.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "platform/api/system.h"
#include "platform/linux/processes/connector_socket.h"
#include "platform/linux/processes/decode.h"
#include "platform/linux/processes/drain_loop.h"
#include "platform/linux/processes/namespaces.h"
#include "platform/linux/processes/proc_files.h"
#include "platform/linux/processes/process_programs.h"
#include "platform/linux/processes/record.h"
#include "platform/linux/processes/record_ring.h"

namespace cordon::platform {
namespace {

// Whoever must know sooner flushes. Each look takes a few microseconds, also when there is nothing.
constexpr std::chrono::milliseconds kPollInterval{250};
constexpr size_t kBatch = 1024;

uint64_t MemoryBytes() {
  return static_cast<uint64_t>(std::max(sysconf(_SC_PHYS_PAGES), 0L)) *
         static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// By cordon_kind.
constexpr std::array<std::string_view, CORDON_KINDS> kKindNames = {"",
                                                                   "forks",
                                                                   "starts",
                                                                   "ends",
                                                                   "changes of privileges",
                                                                   "traces",
                                                                   "kernel modules",
                                                                   "records of any kind"};

ProcessSourceInfo InfoBeforeStart() {
  ProcessSourceInfo info{.name = "ebpf", .fallback = false, .limitations = {}};
  if (!InInitialPidNamespace()) {
    info.limitations.emplace_back(
        "The agent runs in a PID namespace: its pids are the host's, which /proc here does not show, and the "
        "snapshot covers this namespace alone.");
  }
  return info;
}

}  // namespace

class EbpfProcessSource::Impl {
 public:
  explicit Impl(EbpfOptions options)
      : ring_bytes_(options.ring_bytes != 0 ? options.ring_bytes
                                            : RingBytesFor(sysconf(_SC_NPROCESSORS_ONLN), MemoryBytes())) {}

  absl::Status Start(std::function<void(std::span<RawProcessEvent>)> deliver) {
    deliver_ = std::move(deliver);
    CORDON_RETURN_IF_ERROR(programs_.Load(ring_bytes_));
    CORDON_RETURN_IF_ERROR(Annotate(ring_.Map(programs_.Ring(), ring_bytes_), "eBPF process source"));
    last_loss_check_ = clock_->BootNanos();
    CORDON_RETURN_IF_ERROR(programs_.Attach());
    OpenOtherChannel();
    return loop_.Start({.fd = programs_.Ring(),
                        .interval = kPollInterval,
                        .begin = [this] { DeliverSnapshot(); },
                        .drain = [this] { Drain(); },
                        .end = [this] { programs_.Detach(); }});
  }

  void Stop() { loop_.Stop(); }
  void Flush() { loop_.Flush(); }

  uint64_t Attempted() const {
    uint64_t sum = 0;
    if (!programs_.IsLoaded()) return sum;
    for (cordon_loss& kind : programs_.Losses()) {
      sum += std::atomic_ref(kind.attempted).load(std::memory_order_relaxed);
    }
    return sum - merged_;
  }

  ProcessSourceInfo Info() const { return info_; }

 private:
  // Where the kernel has no kprobes (CONFIG_KPROBES), the process connector tells of the same, but for less.
  void OpenOtherChannel() {
    info_.tells_privilege_changes = programs_.TellsPrivileges();
    info_.tells_traces = programs_.TellsTraces();
    if (!programs_.TellsModules()) {
      info_.limitations.emplace_back("Kernel modules are not seen: this kernel does not tell of them.");
    }
    if (programs_.TellsPrivileges() && programs_.TellsTraces()) return;
    absl::StatusOr<ConnectorSocket> changes = ConnectorSocket::Open(ConnectorSocket::Wanted::kChanges);
    if (changes.ok()) {
      changes_.emplace(*std::move(changes));
      info_.tells_privilege_changes = info_.tells_traces = true;
      if (!programs_.TellsPrivileges()) info_.limitations.emplace_back(kConnectorChangesLimits);
    } else {
      info_.limitations.push_back(
          StrCat("Changes of privileges and tracers are not seen: this kernel has no kprobes, and ",
                 Message(changes.status()), "."));
    }
  }

  // What the other channel has told is read first: then the ring holds the birth of every process in it.
  void Drain() {
    if (changes_) {
      changes_->Read([this](const ConnectorEvent& event, int64_t when) { TakeChange(event, when); },
                     [this](const RawLoss& loss) { AddLoss(loss); });
    }
    ring_.Consume([this](std::span<const char> bytes) { Take(bytes); });
    AddChangesUntil(INT64_MAX);
    CheckLoss();
    DeliverBatch();
  }

  void TakeChange(const ConnectorEvent& event, int64_t when) {
    const bool traces = event.kind == ConnectorEvent::kTrace;
    // What came between the subscription and its filter may be of any kind.
    if (!traces && event.kind != ConnectorEvent::kUserId && event.kind != ConnectorEvent::kGroupId) return;
    if (traces ? programs_.TellsTraces() : programs_.TellsPrivileges()) return;  // twice
    told_beside_.push_back({when, ChangeOf(event)});
  }

  // Those that happened before that moment, into their place among the ring's.
  void AddChangesUntil(int64_t boottime_nanos) {
    while (!told_beside_.empty() && told_beside_.front().boottime_nanos < boottime_nanos) {
      batch_.push_back(std::move(told_beside_.front()));
      told_beside_.pop_front();
    }
  }

  void Take(std::span<const char> bytes) {
    auto decoded = DecodeRecord(bytes);
    if (!decoded.ok()) {
      spdlog::error("process source: {}", Message(decoded.status()));
      AddLoss({.count = 1,
               .first_boottime_nanos = clock_->BootNanos(),
               .last_boottime_nanos = clock_->BootNanos()});
      return;
    }
    if (decoded->argv_missing) FillArguments(&decoded->event);
    if (!snapshot_.empty() && IsInSnapshot(decoded->event)) {
      ++merged_;
      return;
    }
    AddChangesUntil(decoded->event.boottime_nanos);
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
      cordon_loss& shared = programs_.Losses()[kind];
      const uint64_t lost = std::atomic_ref(shared.lost).load(std::memory_order_acquire);
      if (lost == lost_seen_[kind]) continue;
      const auto first = static_cast<int64_t>(std::atomic_ref(shared.first_boottime).exchange(0));
      const auto last = static_cast<int64_t>(std::atomic_ref(shared.last_boottime).load());
      AddLoss({.count = lost - lost_seen_[kind],
               .first_boottime_nanos = first != 0 ? first : last_loss_check_,
               .last_boottime_nanos = std::max(first, last),
               .what = kKindNames[kind]});
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
    const absl::StatusOr<std::string> bytes = programs_.Snapshot();
    if (bytes.ok()) {
      TakeSnapshot(*bytes);
    } else {
      spdlog::error("process source: {}", Message(bytes.status()));
      AddLoss({.count = 0, .first_boottime_nanos = 0, .last_boottime_nanos = clock_->BootNanos()});
    }
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
  ProcessPrograms programs_;
  RecordRing ring_;
  std::optional<ConnectorSocket> changes_;
  ProcessSourceInfo info_ = InfoBeforeStart();

  // The reader thread's own.
  std::vector<RawProcessEvent> batch_;
  std::deque<RawProcessEvent> told_beside_;  // by changes_, the oldest first
  std::map<ProcessKey, int64_t> snapshot_;   // and when each was looked at
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
  return impl_->Info();
}
uint64_t EbpfProcessSource::Attempted() const {
  return impl_->Attempted();
}

}  // namespace cordon::platform
