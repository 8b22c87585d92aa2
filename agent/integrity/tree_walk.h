#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

#include "agent/integrity/policy.h"
#include "platform/api/file_source.h"
#include "platform/api/mount_table.h"

namespace cordon::agent {

// Walks folders for what no event told: after an overflow what the lost window can have touched, and the
// content of a tree that was moved in. One walk at a time, on a thread of its own in the lowest class; it is
// there while there is work.
class TreeWalk {
 public:
  // Takes what was found, and may block; on the walk's thread.
  using Found = std::function<void(platform::RawFileEvent)>;

  explicit TreeWalk(Found found) : found_(std::move(found)) {}
  ~TreeWalk();
  TreeWalk(const TreeWalk&) = delete;
  TreeWalk& operator=(const TreeWalk&) = delete;

  struct Job {
    std::vector<std::filesystem::path> roots;
    std::vector<std::filesystem::path> excluded;  // prefixes
    // Only what changed since then, by ctime, which programs cannot set. A clock that was set back in between
    // hides changes: the gap that was told covers them. 0 = everything.
    int64_t since_unix_nanos = 0;
    platform::RawFileEvent event;  // as which it is told, with its path
  };

  // Thread-safe. A job of the same kind and process that waits takes the new one's roots and the earlier
  // time. Beyond 64 that wait the process is left out: nobody is named for what another one did. False: more
  // folders wait than are kept, and this one is not looked at.
  bool Ask(Job job);
  // Ends a walk within a folder; nothing is found any more after it.
  void Stop();

 private:
  static bool Merge(const Job& job, Job* waiting);
  void Run();
  void Walk(const Job& job);
  void WalkFolder(const Job& job, const platform::MountTable& mounts, const std::filesystem::path& folder,
                  uint64_t device, std::deque<std::pair<std::filesystem::path, uint64_t>>* folders);
  void Deliver(std::vector<platform::RawFileEvent>* found);
  bool Stopped();

  const Found found_;
  std::mutex mutex_;
  std::deque<Job> jobs_;
  bool running_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace cordon::agent
