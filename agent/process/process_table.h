#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <forward_list>
#include <memory>
#include <string>
#include <unordered_map>

#include "agent/process/told_memory.h"
#include "platform/api/process_source.h"

namespace cordon::agent {

// What was recorded of a process: bits.
enum ProcessFact : uint8_t {
  kSawFork = 1,
  kSawExec = 2,
  kSawEnd = 4,
  kSawPrivilegeChange = 8,
  kSawTrace = 16,  // by another one
};

struct TrackedProcess {
  platform::ProcessKey key;
  platform::ProcessKey parent;  // pid 0 = unknown
  std::array<char, 16> guid{};
  int64_t forked_boottime_nanos = 0;  // when it was first seen
  int64_t exec_boottime_nanos = 0;    // 0 = runs its parent's program
  int64_t end_boottime_nanos = 0;     // 0 = runs
  bool announced = false;
  bool folded = false;  // counted in a summary: then it counts as announced, and no event names it
  std::string executable;
  std::shared_ptr<const std::string> cgroup;  // nullptr = not known; shared by those that are in the same one
  // Effective: the parent's, until it changes them.
  bool ids_known = false;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint8_t seen = 0;  // ProcessFact bits
  ToldMemory told;

  std::string Guid() const { return {guid.data(), guid.size()}; }
};

// Who has and had which pid. Ended processes are kept for a while, bounded in number and age. Not
// thread-safe.
class ProcessTable {
 public:
  static constexpr size_t kEndedKept = 32'768;
  static constexpr int64_t kEndedKeptNanos = 600'000'000'000;  // ten minutes

  // nullptr when unknown. Pointers stay valid until the process is forgotten.
  TrackedProcess* Get(const platform::ProcessKey& key);
  // The process that had `pid` at that moment, else the last one before it.
  TrackedProcess* At(uint32_t pid, int64_t boottime_nanos);

  // A new entry for a key that Get does not know.
  TrackedProcess& Add(const platform::ProcessKey& key);
  // Marks it as ended and forgets the ended ones that are over the bounds.
  void End(TrackedProcess& process, int64_t boottime_nanos);

 private:
  struct Ended {
    platform::ProcessKey key;
    int64_t boottime_nanos;
  };
  void Forget(const platform::ProcessKey& key);

  // Those that have and had a pid, the youngest first: rarely more than two.
  std::unordered_map<uint32_t, std::forward_list<TrackedProcess>> by_pid_;
  std::deque<Ended> ended_;  // in order of end
};

}  // namespace cordon::agent
