#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace cordon::agent {

struct ProcessRef {
  std::string guid;              // 16 bytes
  std::string executable;        // may be empty for a process that only forked
  uint32_t uid = 0;              // effective, where known
  std::string parent_guid = {};  // empty = not known
};

// Who a pid was at a time; also for processes that ended a while ago (bounded). Thread-safe.
class ProcessDirectory {
 public:
  virtual ~ProcessDirectory() = default;

  // The process that had `pid` at that moment (nanoseconds since boot), or the last one before it.
  virtual std::optional<ProcessRef> Find(uint32_t pid, int64_t boottime_nanos) const = 0;
};

}  // namespace cordon::agent
