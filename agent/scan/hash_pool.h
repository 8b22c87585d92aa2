#pragma once

#include <absl/status/statusor.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/scan/file_record.h"
#include "platform/api/file_tree.h"

namespace cordon::agent {

// Reads and hashes files on threads of its own. One thread submits and takes the results.
class HashPool {
 public:
  struct Job {
    std::string path;
    std::optional<FileRecord> before;  // in the baseline; the pool only carries it
    platform::FileMetadata metadata;   // as the walk saw it
  };
  struct Result {
    Job job;
    absl::StatusOr<platform::HashedFile> hashed;
  };

  // `cancelled` stops every read within a piece of 256 KiB. With `polite` the threads take the lowest CPU and
  // I/O class.
  HashPool(int threads, bool polite, const std::atomic<bool>& cancelled);
  ~HashPool();

  // False when the queue is full: take results and try again.
  bool TrySubmit(Job* job);
  // What is done by now; waits for the first one, up to `wait`.
  std::vector<Result> Take(std::chrono::milliseconds wait);
  // Submitted and not yet taken.
  size_t Outstanding() const { return outstanding_; }
  uint64_t BytesRead() const { return bytes_read_; }

 private:
  void Run(bool polite);

  const std::atomic<bool>& cancelled_;
  std::atomic<uint64_t> bytes_read_ = 0;
  size_t outstanding_ = 0;  // the submitting thread's
  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable done_;
  std::deque<Job> jobs_;
  std::vector<Result> results_;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace cordon::agent
