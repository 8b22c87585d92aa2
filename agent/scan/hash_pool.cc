#include "agent/scan/hash_pool.h"

#include <spdlog/spdlog.h>

#include <limits>
#include <utility>

#include "common/base/status.h"
#include "platform/api/system.h"

namespace cordon::agent {
namespace {

// The walk may be this far ahead of reading: the nearer the end is known, the better the estimate. About 20
// MB.
constexpr size_t kMaxOutstanding = 65'536;

}  // namespace

HashPool::HashPool(int threads, bool polite, const std::atomic<bool>& cancelled) : cancelled_(cancelled) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this, polite] { Run(polite); });
}

HashPool::~HashPool() {
  {
    const std::lock_guard lock(mutex_);
    jobs_.clear();  // nobody takes their results any more
    closed_ = true;
    work_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

bool HashPool::TrySubmit(Job* job) {
  if (outstanding_ >= kMaxOutstanding) return false;
  ++outstanding_;
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(*job));
  work_.notify_one();
  return true;
}

std::vector<HashPool::Result> HashPool::Take(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  if (wait.count() > 0) done_.wait_for(lock, wait, [&] { return !results_.empty(); });
  std::vector<Result> results = std::exchange(results_, {});
  outstanding_ -= results.size();
  return results;
}

void HashPool::Run(bool polite) {
  if (polite) {
    const absl::Status status = platform::LowerThreadPriority();
    if (!status.ok()) spdlog::warn("a scan runs at normal priority: {}", Message(status));
  }
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return closed_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    absl::StatusOr<platform::HashedFile> hashed = platform::HashFile(
        job.path, std::numeric_limits<uint64_t>::max(), [this] { return !cancelled_; },
        [this](uint64_t bytes) { bytes_read_ += bytes; });
    lock.lock();
    results_.push_back({.job = std::move(job), .hashed = std::move(hashed)});
    done_.notify_one();
  }
}

}  // namespace cordon::agent
