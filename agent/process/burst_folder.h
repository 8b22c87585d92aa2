#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace cordon::agent {

// Processes that belong together: of one cgroup, made by one program.
struct BurstGroup {
  std::string cgroup;
  std::string parent_program;
  friend auto operator<=>(const BurstGroup&, const BurstGroup&) = default;
};

// One that has ended and has not been told.
struct FoldedProcess {
  std::string program;  // empty = it executed none
  bool failed = false;  // exit code other than 0, or by a signal
  int64_t cpu_nanos = 0;
  int64_t begin_boottime_nanos = 0;
  int64_t end_boottime_nanos = 0;
  std::string parent_guid;  // empty when the parent was not told either
};

struct BurstSummary {
  std::string cgroup;
  uint64_t forked = 0;
  uint64_t started = 0;
  uint64_t failed = 0;
  int64_t cpu_nanos = 0;
  int64_t first_boottime_nanos = 0;
  int64_t last_boottime_nanos = 0;
  std::vector<std::pair<std::string, uint64_t>> programs;  // the most frequent first, at most kMostPrograms
  std::vector<std::string> parent_guids;                   // at most kMostParents
};

// Knows which groups make processes faster than is worth telling one by one, and sums up those that were not
// told. Counts are exact (TEL-1). Pure: time is what the facts say. Not thread-safe.
//
// A group is in a burst from its (N+1)th process within a second on, until a second passes with N or fewer.
class BurstFolder {
 public:
  static constexpr size_t kMostGroups = 256;  // others are told one by one
  static constexpr size_t kMostPrograms = 32;
  static constexpr size_t kMostParents = 32;
  static constexpr size_t kProgramsRemembered = 8'192;
  static constexpr int64_t kSummaryNanos = 10'000'000'000;  // a summary covers this much at the most

  // `processes_per_second`: N; 0 = nothing is ever folded.
  explicit BurstFolder(uint32_t processes_per_second) : limit_(processes_per_second) {}

  // A process of this group executes `program`, or ends without one. True when it may be folded: the group is
  // in a burst, and the program has been seen before.
  bool MayFold(const BurstGroup& group, std::string_view program, int64_t boottime_nanos);

  void Fold(const BurstGroup& group, const FoldedProcess& process);

  // Summaries that are due at that moment.
  std::vector<BurstSummary> TakeDue(int64_t boottime_nanos);
  std::vector<BurstSummary> TakeAll() { return TakeDue(INT64_MAX); }
  // When the next one is due; nothing when there is none.
  std::optional<int64_t> NextDue() const;

 private:
  struct Rate {
    int64_t second_began = 0;
    uint32_t in_second = 0;
    bool in_burst = false;
  };
  struct Sum {
    BurstSummary summary;
    std::map<std::string, uint64_t> programs;
    std::set<std::string> parents;
  };
  bool IsInBurst(const BurstGroup& group, int64_t boottime_nanos);
  void ForgetQuietGroups(int64_t boottime_nanos);

  const uint32_t limit_;
  std::map<BurstGroup, Rate> rates_;
  std::map<BurstGroup, Sum> sums_;
  std::unordered_set<size_t> programs_seen_;  // hashes
};

}  // namespace cordon::agent
