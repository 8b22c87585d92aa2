#pragma once

#include <absl/status/statusor.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/scan/file_record.h"
#include "agent/scan/rule_scanner.h"
#include "agent/scan/walk.h"
#include "platform/api/file_tree.h"
#include "platform/api/running_programs.h"

namespace cordon::agent {

// Reads files on threads of its own: digests, attributes, and what the rules find. One thread submits and
// takes the results.
class ContentPool {
 public:
  struct Job {
    std::string path = {};                 // of one that was read: moved to its content
    platform::FileMetadata metadata = {};  // as the walk saw it
    // Processes that all execute one file: that file is read, whatever `path` names now.
    std::vector<platform::RunningProgram> running = {};
    // Only carried:
    std::optional<FileRecord> before = {};  // in the baseline
    FolderPtr folder = {};
  };
  struct Content {
    FileRecord file = {};          // with SureChangeTime
    absl::Status attributes = {};  // why those of `file` cannot be read; it has none then
    std::string md5 = {};
    absl::StatusOr<std::vector<std::string>> rules = std::vector<std::string>();  // as RuleScanner::Search
  };
  struct Result {
    std::unique_ptr<Job> job;  // as it was submitted: what is passed on for each file is a pointer
    absl::StatusOr<Content> content;
  };
  struct Options {
    bool polite = false;  // the lowest CPU and I/O class
    bool md5 = false;
  };

  // `keep_going` is asked before every piece of 256 KiB, by all threads; it may block for as long as the pool
  // is to rest, and stops every read when it says no. `wanted` says the same at once: it is asked while rules
  // search a file, whose time runs. A thread for each of `scanners`, which may be empty pointers. Throws
  // std::system_error when there can be no thread at all.
  ContentPool(Options options, std::function<bool()> keep_going, std::function<bool()> wanted,
              std::vector<std::unique_ptr<RuleScanner>> scanners);
  ~ContentPool();

  // False when the queue is full: take results and try again.
  bool TrySubmit(Job* job);
  // What is done by now, in place of what `results` had, whose memory is used again; waits for some hundreds
  // or the last one, up to `wait`.
  void Take(std::chrono::milliseconds wait, std::vector<Result>* results);
  // Submitted and not yet taken.
  size_t Outstanding() const { return outstanding_; }
  uint64_t BytesRead() const { return bytes_read_; }

 private:
  void Run(RuleScanner* scanner);
  bool WorthTaking() const;                                 // under mutex_
  std::vector<std::unique_ptr<Job>> NextJobs(size_t most);  // under mutex_, when there are some
  absl::StatusOr<platform::OpenFile> OpenPatiently(const Job& job);
  absl::StatusOr<Content> Read(Job& job, RuleScanner* scanner);  // moves its path, unless it fails

  const Options options_;
  const std::function<bool()> keep_going_;
  const std::function<bool()> wanted_;
  const std::vector<std::unique_ptr<RuleScanner>> scanners_;
  std::atomic<uint64_t> bytes_read_ = 0;
  std::atomic<int> lease_waits_ = 200;  // that are left: whoever holds many leases must not hold the scan
  size_t outstanding_ = 0;              // the submitting thread's
  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable done_;
  std::deque<std::unique_ptr<Job>> jobs_;
  std::vector<Result> results_;
  size_t reading_ = 0;                // threads that have a job
  std::atomic<bool> closed_ = false;  // set under mutex_
  std::vector<std::thread> threads_;
};

}  // namespace cordon::agent
