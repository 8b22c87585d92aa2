#pragma once

// Which process is taking people's files away. Pure: time comes in with the facts.

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "agent/integrity/content.h"

namespace cordon::agent {

struct TripwireLimits {
  uint32_t files = 8;
  int64_t window_nanos = 10'000'000'000;
};

// One thing that happened to one file, after it settled.
struct FileDeedSeen {
  // kMoved: old_path -> path. kMovedIn: it came with a folder, or from a place, that nobody watches.
  enum Kind { kWritten, kCreated, kGone, kMoved, kMovedIn };
  Kind kind = kWritten;
  std::string path;
  std::string old_path;
  Content content = Content::kTooShort;  // of `path`; means nothing for kGone
  std::string actor;                     // process guid; empty: not known, which is one actor of its own
  std::string actor_parent;              // empty: not known
  int64_t boottime_nanos = 0;
};

// Counts, per process and per parent of processes, the files that were taken within the window:
//   - documents that were there and were written, or replaced by a move, and are noise now,
//   - documents of noise that were moved in from where nobody watches: whoever takes a folder away, encrypts
//     it there and brings it back has done the same, and
//   - pairs of a file of noise that came and a document that went: what copies, encrypts and deletes does
//   that.
// A backup writes noise and no document goes; unpacking and moving writes no noise; a tool that encrypts one
// file for a person stays below the number.
class TripwireRule {
 public:
  explicit TripwireRule(TripwireLimits limits) : limits_(limits) {}

  // The number of files that `seen` completes, the first time that the number is reached; then nothing for
  // that process or parent until a whole window went by without a deed of it.
  std::optional<uint32_t> Add(const FileDeedSeen& seen);

 private:
  static constexpr size_t kMaxActors = 1'000;
  static constexpr size_t kMaxDeeds = 4'096;  // per actor: more than any limit

  enum Mark : uint8_t { kSpoiled, kNoiseCame, kDocumentWent, kMarks };
  struct Deed {
    Mark mark;
    size_t path_hash;
    int64_t boottime_nanos;
  };
  struct Actor {
    std::deque<Deed> deeds;                                          // within the window, oldest first
    std::array<std::unordered_map<size_t, uint32_t>, kMarks> paths;  // deeds per path, of each mark
    bool told = false;
    std::list<std::string>::iterator age;

    void Note(Mark mark, const std::string& path, int64_t boottime_nanos);
    void ForgetOldest();
    uint32_t Files() const;
  };

  std::optional<uint32_t> Count(const std::string& actor, const FileDeedSeen& seen);
  Actor& ActorOf(const std::string& name);

  const TripwireLimits limits_;
  std::unordered_map<std::string, Actor> actors_;
  std::list<std::string> by_age_;  // the one that was quiet longest first
};

}  // namespace cordon::agent
