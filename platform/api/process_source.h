#pragma once

// Raw process facts from the operating system, in the order in which they happened as far as the source can
// tell.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cordon::platform {

// A process is named by pid and start time (nanoseconds since boot, CLOCK_BOOTTIME, as the kernel records it
// for the thread group leader): the pair is never used twice in one boot.
struct ProcessKey {
  uint32_t pid = 0;
  int64_t start_boottime_nanos = 0;
  friend auto operator<=>(const ProcessKey&, const ProcessKey&) = default;
};

struct RawFork {
  ProcessKey child;
  ProcessKey parent;
};

struct RawExec {
  ProcessKey process;
  ProcessKey parent;
  std::string executable;         // absolute path as the process's own mount namespace sees it
  std::vector<std::string> argv;  // as far as kept; see argv_total_bytes
  uint32_t argv_total_bytes = 0;  // true length of the argument area
  bool argv_complete = true;
  bool argv_from_proc = false;  // read late from /proc: may belong to a later exec
  std::string cwd;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t login_uid = 0xffffffff;  // none
  uint32_t session_id = 0;
  std::string cgroup;
  bool from_snapshot = false;  // was already running
};

struct RawExit {
  ProcessKey process;
  uint32_t exit_code = 0;
  uint32_t signal = 0;
  int64_t cpu_nanos = 0;
  uint64_t peak_memory_bytes = 0;
};

struct RawLoss {
  uint64_t count = 0;  // exact, as counted by the kernel
  int64_t first_boottime_nanos = 0;
  int64_t last_boottime_nanos = 0;
};

struct RawProcessEvent {
  int64_t boottime_nanos = 0;
  std::variant<RawFork, RawExec, RawExit, RawLoss> fact;
};

// What a source can and cannot see, for health and for the stream.
struct ProcessSourceInfo {
  std::string name;  // "ebpf", "proc-connector", …
  bool fallback = false;
  std::vector<std::string> limitations;  // sentences; empty for a full source
};

class ProcessSource {
 public:
  virtual ~ProcessSource() = default;

  // Starts a thread that calls `deliver` with batches, first of all a snapshot of what runs (no process that
  // lives through Start is missed, none is given twice as a fork). Blocking in `deliver` holds the kernel's
  // buffer back.
  virtual absl::Status Start(std::function<void(std::span<RawProcessEvent>)> deliver) = 0;
  // Returns after the last call of `deliver`.
  virtual void Stop() = 0;
  // Returns when everything that happened before the call has been delivered, or after a second, or when the
  // source is stopped. Any thread but the delivering one. For whoever must know a process by the pid in an
  // event at hand.
  virtual void Flush() = 0;
  virtual ProcessSourceInfo Info() const = 0;
};

// The best source that works here: eBPF, else the process connector. Never nullptr; Start says what is
// missing.
std::unique_ptr<ProcessSource> MakeProcessSource();
// By name, for tests and for the setting `process.source`; nullptr for an unknown one.
std::unique_ptr<ProcessSource> MakeProcessSource(std::string_view name);

// Starts the smallest program that every machine has, waits for its end and returns the pid it had: the
// canary of the process sensor. UNAVAILABLE when there is none.
absl::StatusOr<uint32_t> RunTinyProgram();

}  // namespace cordon::platform
