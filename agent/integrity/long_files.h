#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>

#include "agent/integrity/file_facts.h"

namespace cordon::agent {

// A file whose hash is still to be made; one for all facts about it.
struct LongFile {
  std::filesystem::path path;
  FoundFile found;
};

// A fact on its way to be told.
struct PendingFact {
  FileFact fact;
  std::shared_ptr<LongFile> file;  // whose hash it waits for; none: it waits for none
  uint64_t bytes = 0;              // of that file; LongFiles counts them
};

// How much may wait for its hash. Files that are one hole cost who makes them nothing.
struct LongFileLimits {
  size_t files = 10'000;
  uint64_t bytes = 64ULL << 30;  // of them together; a single one may be longer
};

// The lane of files that take long to hash: hashes and emits on a thread of its own in the lowest class, so
// that a small file is not told, and a tripwire does not find, behind a large one. The thread begins with the
// first long file. Put and Holds are for one thread.
class LongFiles {
 public:
  using Hash = std::function<void(LongFile&)>;
  using Emit = std::function<void(FileFact)>;

  LongFiles(Hash hash, Emit emit, LongFileLimits limits = {})
      : hash_(std::move(hash)), emit_(std::move(emit)), limits_(limits) {}
  ~LongFiles() { Finish(); }

  // What comes while too much is pending is told without a hash, and says so: nobody waits for a backlog.
  void Put(PendingFact pending);

  // Whether something of that path (as in events) is pending: what follows must stay behind it.
  bool Holds(const std::string& path) const;

  // Returns after the last Emit. No Put afterwards.
  void Finish();

 private:
  bool StartThread();
  bool IsTooMuch(const PendingFact& pending) const;
  static void GiveUpHash(PendingFact* pending);
  void Run();
  void Tell(PendingFact pending);

  const Hash hash_;
  const Emit emit_;
  const LongFileLimits limits_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<PendingFact> pending_;                  // all down to finishing_: under mutex_
  uint64_t bytes_ = 0;                               // of the files in pending_
  std::unordered_map<std::string, size_t> by_path_;  // facts, the one that is worked on too
  bool finishing_ = false;
  std::thread thread_;
};

}  // namespace cordon::agent
