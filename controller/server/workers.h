#pragma once

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace cordon::controller {

// Threads for what waits for the store, so that gRPC's own threads never do. Thread-safe.
class Workers {
 public:
  explicit Workers(int threads) : pool_(static_cast<size_t>(threads)) {}

  void Post(std::function<void()> work) { boost::asio::post(pool_, std::move(work)); }
  // Runs what was posted, then ends the threads.
  void Stop() { pool_.join(); }

 private:
  boost::asio::thread_pool pool_;
};

// Threads for long answers, one each. Thread-safe.
class Readers {
 public:
  // At most `most_of_one` of the threads are for one who asks.
  Readers(int threads, int most_of_one)
      : free_(threads), most_of_one_(most_of_one), pool_(static_cast<size_t>(threads)) {}

  // False when all threads are taken, or all that `who` may have: a long answer is refused rather than left
  // waiting without a word.
  bool Post(const std::string& who, std::function<void()> work) {
    if (!Take(who)) return false;
    boost::asio::post(pool_, [this, who, work = std::move(work)] {
      work();
      GiveBack(who);
    });
    return true;
  }
  void Stop() { pool_.join(); }

 private:
  bool Take(const std::string& who) {
    const std::lock_guard lock(mutex_);
    const auto known = taken_.find(who);
    if (free_ == 0 || (known != taken_.end() && known->second >= most_of_one_)) return false;
    --free_;
    ++taken_[who];
    return true;
  }
  void GiveBack(const std::string& who) {
    const std::lock_guard lock(mutex_);
    ++free_;
    if (const auto known = taken_.find(who); --known->second == 0) taken_.erase(known);
  }

  std::mutex mutex_;
  int free_;  // guarded by mutex_
  const int most_of_one_;
  std::map<std::string, int> taken_;  // guarded by mutex_
  boost::asio::thread_pool pool_;
};

}  // namespace cordon::controller
