#pragma once

// What file sources have lost, added up. Pure: time comes in as an argument.

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "platform/api/file_source.h"

namespace cordon::agent {

// Told as one gap.
struct Loss {
  uint64_t count = 0;          // of the known ones
  bool count_unknown = false;  // there were others
  int64_t since_boottime_nanos = 0;
  int64_t until_boottime_nanos = 0;
  std::filesystem::path path;  // empty: below all roots
  std::string because;         // the end of a sentence; empty: more came than was kept
  bool reads = false;          // of reads, and of nothing else
  bool while_away = false;
};

// Whoever can make files can make a source lose events, again and again. A gap is never dropped, and the walk
// that follows it is long: the first loss is told at once, and then one in `pause` that stands for all since.
// Not thread-safe.
class Losses {
 public:
  explicit Losses(int64_t pause_nanos) : pause_nanos_(pause_nanos) {}

  // A source has told `overflow`; what was lost happened after `since`, on the boot-time clock.
  void Add(const platform::RawFileEvent& overflow, int64_t since, int64_t now);

  std::vector<Loss> TakeDue(int64_t now);
  std::vector<Loss> TakeAll();

  // When TakeDue will have something next; nothing when nothing is pending.
  std::optional<int64_t> NextDue() const;

 private:
  struct Lane {
    std::optional<Loss> pending;
    int64_t due = 0;  // not before
  };
  enum LaneOf : uint8_t { kChanges, kReads, kLanes };

  static void Merge(const Loss& loss, Loss* into);

  const int64_t pause_nanos_;
  std::vector<Loss> at_once_;  // of the time before the start: each source tells them once
  std::array<Lane, kLanes> lanes_;
};

}  // namespace cordon::agent
