#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace cordon::controller {

// One thread that takes what has gathered while it was busy and hands it over as one group, so that many
// hosts share the price of one durable commit. Items keep their order. Add is thread-safe.
template <typename Item>
class GroupQueue {
 public:
  using Flush = std::function<void(std::vector<Item>)>;

  // `flush` is called from the queue's own thread with 1 to max_group items.
  GroupQueue(size_t max_group, Flush flush)
      : max_group_(max_group), flush_(std::move(flush)), thread_([this] { Run(); }) {}
  ~GroupQueue() { Stop(); }
  GroupQueue(const GroupQueue&) = delete;
  GroupQueue& operator=(const GroupQueue&) = delete;

  // Whoever adds holds back while its earlier items are not flushed: that is what bounds the queue.
  void Add(Item item) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(item));
    }
    changed_.notify_one();
  }

  // Flushes what was added, then ends the thread. Idempotent.
  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run() {
    while (true) {
      std::vector<Item> group = Take();
      if (group.empty()) return;
      flush_(std::move(group));
    }
  }

  // Empty: stopped, and nothing is left.
  std::vector<Item> Take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(max_group_, waiting_.size()));
    std::vector<Item> group(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
    return group;
  }

  const size_t max_group_;
  const Flush flush_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> waiting_;
  bool stopping_ = false;
  std::thread thread_;  // last: starts when all of the above is there
};

}  // namespace cordon::controller
