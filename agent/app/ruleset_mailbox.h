#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "platform/api/ruleset_watcher.h"

namespace cordon::agent {

// From the watcher's thread to the loop: what comes while the loop is busy is handed over in one piece, so
// that a storm of changes costs one repair at a time.
class RulesetMailbox {
 public:
  RulesetMailbox(boost::asio::io_context& loop,
                 std::function<void(std::vector<platform::RulesetChange>)> deliver)
      : loop_(loop), deliver_(std::move(deliver)) {}

  // Thread-safe.
  void Put(std::vector<platform::RulesetChange> changes) {
    {
      const std::lock_guard lock(mutex_);
      const bool posted = !waiting_.empty();
      for (platform::RulesetChange& change : changes) {
        if (waiting_.size() > kMost) break;
        if (waiting_.size() == kMost) change = {.boot_nanos = change.boot_nanos, .missed = true};
        waiting_.push_back(std::move(change));
      }
      if (posted) return;
    }
    boost::asio::post(loop_, [this] {
      std::vector<platform::RulesetChange> all;
      {
        const std::lock_guard lock(mutex_);
        all.swap(waiting_);
      }
      deliver_(std::move(all));
    });
  }

 private:
  static constexpr size_t kMost = 4 * platform::RulesetWatcher::kMostTold;

  boost::asio::io_context& loop_;
  const std::function<void(std::vector<platform::RulesetChange>)> deliver_;
  std::mutex mutex_;
  std::vector<platform::RulesetChange> waiting_;  // guarded by mutex_
};

}  // namespace cordon::agent
