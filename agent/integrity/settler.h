#pragma once

// Folds the burst of raw events that one change makes into the facts a person wants to know. Pure: time comes
// in as an argument.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/api/file_source.h"

namespace cordon::agent {

struct SettleLimits {
  int64_t quiet_nanos = 500'000'000;      // a path is settled when nothing happened to it for this long,
  int64_t longest_nanos = 5'000'000'000;  // or this long after its first pending event
  size_t max_paths = 50'000;              // pending paths; the oldest settle early beyond it
  size_t max_actors = 64;                 // processes per pending path; the path settles early beyond it
};

// What one process did to one path.
struct FileDeed {
  platform::RawFileEvent::Kind kind;  // kCreated, kModified, kDeleted, kRenamed, kAttributes, kRead
  uint32_t pid = 0;
  int64_t boottime_nanos = 0;      // of the last raw event
  uint32_t raw_events = 0;         // folded into this deed
  std::filesystem::path old_path;  // kRenamed
  bool while_away = false;         // all of them: before the agent watched
  bool moved_in = false;  // kCreated: it came from where nobody watches, and may have been here before
};

// A settled path.
struct SettledPath {
  std::filesystem::path path;
  bool is_directory = false;
  std::vector<FileDeed> deeds;
  bool only_read = false;
  std::shared_ptr<const platform::RegistryState> registry{};  // what stood there last; none: it is a file
  // Set when the file left this path by a rename before it settled: what is here now, if anything, came after
  // it.
  std::filesystem::path moved_to;
};

// Not thread-safe.
class Settler {
 public:
  explicit Settler(SettleLimits limits) : limits_(limits) {}

  // `now` on the boot-time clock. Any kind but kOverflow. Returns what must be told before this event: the
  // pending facts of a path that is renamed away.
  std::vector<SettledPath> Add(const platform::RawFileEvent& raw, int64_t now);

  // Everything that is settled at `now`, or that must go to keep within the limits; at most `max` of them.
  std::vector<SettledPath> TakeSettled(int64_t now, size_t max);

  // Everything, settled or not.
  std::vector<SettledPath> TakeAll();

  // When TakeSettled will have something next; nothing when nothing is pending.
  std::optional<int64_t> NextDue() const;

  size_t PendingPaths() const { return pending_.size(); }
  bool Full() const { return pending_.size() >= limits_.max_paths; }

 private:
  struct Pending {
    SettledPath settled;
    int64_t first = 0;
    int64_t due = 0;
  };
  using Table = std::map<std::string, Pending>;
  using Schedule = std::multimap<int64_t, std::string>;  // due -> path, one entry per pending path

  Pending& PendingAt(const platform::RawFileEvent& event, int64_t now);
  void SetDue(const std::string& path, Pending& pending, int64_t due);
  Schedule::iterator EntryOf(Table::iterator at);
  SettledPath Take(Table::iterator at);
  void MoveFolder(const std::string& from, const std::string& to);

  const SettleLimits limits_;
  Table pending_;
  Schedule schedule_;
};

}  // namespace cordon::agent
