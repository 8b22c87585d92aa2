#pragma once

// Raw process facts from the operating system, in the order in which they happened as far as the source can
// tell.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
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
  ProcessKey parent;  // who made it, as far as the source knows
};

struct RawExec {
  ProcessKey process;
  ProcessKey parent;
  // Absolute path as the process's own mount namespace sees it; one that is too long for the source begins
  // with
  // ".../".
  std::string executable;
  std::vector<std::string> argv;  // as far as kept; see argv_total_bytes
  uint32_t argv_total_bytes = 0;  // true length of the argument area
  bool argv_complete = true;
  bool argv_from_proc = false;  // read late from /proc: may belong to a later exec
  std::string cwd;              // likewise
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t login_uid = 0xffffffff;  // none
  uint32_t session_id = 0;
  std::string cgroup;
  bool from_snapshot = false;    // was already running
  bool from_memory = false;      // the program's file has no name on any disk
  std::string user_sid{};        // Windows: whom it runs for; empty: not known
  uint32_t integrity_level = 0;  // Windows: the relative id of its token's label; 0: not known
};

struct RawExit {
  ProcessKey process;
  uint32_t exit_code = 0;
  uint32_t signal = 0;
  int64_t cpu_nanos = 0;
  uint64_t peak_memory_bytes = 0;
};

// Effective ids and capabilities, as far as the source knows them.
struct Privileges {
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
  std::optional<uint64_t> capabilities;  // one bit each
  friend bool operator==(const Privileges&, const Privileges&) = default;
};

// A process got other privileges by a system call.
struct RawPrivilegeChange {
  ProcessKey process;  // start time 0: the one that had the pid at that moment
  Privileges before;   // what is not known here was the case before
  Privileges after;    // what is not known here did not change
};

// A process took hold of another one, to read or steer it; the kernel allowed it. Start times as above.
struct RawTrace {
  ProcessKey tracer;
  ProcessKey target;
};

struct RawModuleLoad {
  ProcessKey process;  // that loads it
  std::string name;
};

struct RawLoss {
  uint64_t count = 0;  // exact, as counted by the kernel; 0 = not known
  int64_t first_boottime_nanos = 0;
  int64_t last_boottime_nanos = 0;
  std::string_view what = "records of any kind";  // a literal: "starts", "ends", …
};

using RawProcessFact =
    std::variant<RawFork, RawExec, RawExit, RawPrivilegeChange, RawTrace, RawModuleLoad, RawLoss>;

struct RawProcessEvent {
  int64_t boottime_nanos = 0;
  RawProcessFact fact;
};

// What a source can and cannot see, for health and for the stream.
struct ProcessSourceInfo {
  std::string name;  // "ebpf", "proc-connector", …
  bool fallback = false;
  std::vector<std::string> limitations;  // sentences; empty for a full source
  bool tells_privilege_changes = false;
  bool tells_traces = false;
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
  // The start time that a key would have of a process that began at that moment: another one where the system
  // records starts by a clock that may be set.
  virtual int64_t StartTimeAt(int64_t boottime_nanos) const { return boottime_nanos; }
  virtual ProcessSourceInfo Info() const = 0;
};

// The best source that works here: eBPF, else the process connector. Never nullptr; Start says what is
// missing.
std::unique_ptr<ProcessSource> MakeProcessSource();
// By name, for tests and for the setting `process.source`; nullptr for an unknown one.
std::unique_ptr<ProcessSource> MakeProcessSource(std::string_view name);

// The pid that the facts give this process.
uint32_t OwnPid();

// A process that does once all that a source tells of.
struct TinyRun {
  uint32_t pid = 0;
  bool changed_privileges = false;  // it may not have been allowed to
  bool was_traced = false;          // likewise
};
// Makes a process, takes hold of it as a tracer for a moment, lets it take another group and start the
// smallest program that every machine has, and waits for its end: the canary of the process sensor.
// UNAVAILABLE when there is no such program.
absl::StatusOr<TinyRun> RunTinyProgram();

}  // namespace cordon::platform
