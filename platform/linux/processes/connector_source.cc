#include "platform/linux/processes/connector_source.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "platform/api/system.h"
#include "platform/linux/processes/connector_socket.h"
#include "platform/linux/processes/drain_loop.h"
#include "platform/linux/processes/namespaces.h"
#include "platform/linux/processes/proc_files.h"

namespace cordon::platform {
namespace {

constexpr std::chrono::milliseconds kInterval{1000};
constexpr size_t kBatch = 256;

}  // namespace

class ConnectorProcessSource::Impl {
 public:
  absl::Status Start(std::function<void(std::span<RawProcessEvent>)> deliver) {
    deliver_ = std::move(deliver);
    CORDON_ASSIGN_OR_RETURN(ConnectorSocket socket, ConnectorSocket::Open(ConnectorSocket::Wanted::kAll));
    socket_.emplace(std::move(socket));
    return loop_.Start({.fd = socket_->Descriptor(),
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
    socket_->Read([this](const ConnectorEvent& event, int64_t when) { Take(event, when); },
                  [this](const RawLoss& loss) { Add(loss.last_boottime_nanos, loss); });
    ReleaseEnds();
    DeliverBatch();
  }

  void Take(const ConnectorEvent& event, int64_t when) {
    switch (event.kind) {
      case ConnectorEvent::kFork:
        return TakeFork(event, when);
      case ConnectorEvent::kExec:
        return TakeExec(event, when);
      case ConnectorEvent::kExit:
        return TakeExit(event, when);
      case ConnectorEvent::kUserId:
      case ConnectorEvent::kGroupId:
      case ConnectorEvent::kTrace:
        return Add(when, ChangeOf(event));
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
  std::optional<ConnectorSocket> socket_;

  // The reader thread's own.
  std::unordered_map<uint32_t, Known> known_;  // processes that run
  std::unordered_map<uint32_t, std::pair<int64_t, RawExit>> held_ends_;
  std::vector<RawProcessEvent> batch_;

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
  ProcessSourceInfo info{.name = "proc-connector",
                         .fallback = true,
                         .limitations = {},
                         .tells_privilege_changes = true,
                         .tells_traces = true};
  info.limitations = {
      "A process that ends within milliseconds may be known by its pid alone: program and arguments are read "
      "from "
      "/proc after the fact.",
      "Arguments, folder and user are those at the time of reading and may belong to a later exec.",
      "CPU time and peak memory of ended processes are not known.",
      "The end of a process is seen up to a second late.",
      "When the kernel's buffer overflows, how many events were lost is not known.",
      "Kernel modules are not seen.",
      kConnectorChangesLimits,
  };
  if (!InInitialPidNamespace()) {
    info.limitations.emplace_back(
        "The agent runs in a PID namespace: /proc here does not show the machine's processes.");
  }
  return info;
}

}  // namespace cordon::platform
