#pragma once

// What /proc tells of a process; used for the snapshot's arguments and by the fallback source. Text parsers
// are pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/api/process_source.h"

namespace cordon::platform {

inline constexpr size_t kProcArgumentsKept = 32 * 1024;
inline constexpr uint32_t kNoSession =
    0xffffffff;  // the audit session of who never logged in; 0 in our events

// "a\0b\0" -> {"a", "b"}. Empty arguments are kept; a missing last NUL is allowed (the area was cut).
std::vector<std::string> SplitArguments(std::string_view area);

// A status as wait() gives it, into exit code and signal.
void SetWaitStatus(uint32_t status, RawExit* exit);

struct ProcStat {
  char state = 0;
  uint32_t parent_pid = 0;
  uint32_t threads = 0;
  uint64_t start_ticks = 0;  // since boot
  uint32_t flags = 0;
};
// The content of /proc/PID/stat; nullopt when it is no such thing. The name in it may hold any bytes.
std::optional<ProcStat> ParseProcStat(std::string_view text);

struct ProcIds {
  uint32_t uid = 0;
  uint32_t gid = 0;
};
// The real ids from /proc/PID/status.
std::optional<ProcIds> ParseProcStatus(std::string_view text);

// The path that says most, from /proc/PID/cgroup: the unified hierarchy's, or when that is the root, of the
// memory or pids controller. The same choice as the eBPF program's.
std::string ParseProcCgroup(std::string_view text);

struct ProcArguments {
  std::vector<std::string> argv;
  uint32_t bytes = 0;
  bool complete = true;
};
// nullopt when the process is gone or is a zombie or a kernel thread.
std::optional<ProcArguments> ReadProcArguments(uint32_t pid);

// All pids in /proc, in no order.
std::vector<uint32_t> ListProcPids();

// Everything the fallback can learn of a running process; nullopt when it is gone. Start times are rounded
// down to 10 ms ticks by /proc.
std::optional<RawExec> ReadProcProcess(uint32_t pid);
// True while a thread of the process runs, also when its first one has ended.
bool IsProcAlive(uint32_t pid);
// Its start time alone.
std::optional<int64_t> ReadProcStart(uint32_t pid);

int64_t TicksToNanos(uint64_t ticks);

}  // namespace cordon::platform
