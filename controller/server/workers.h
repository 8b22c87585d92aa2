#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace cordon::controller {

// Counts what each has of something that all share. Thread-safe.
class Shares {
 public:
  explicit Shares(int most_of_one) : most_of_one_(most_of_one) {}

  // False when `who` has as many as one may have.
  bool Take(const std::string& who) {
    const std::lock_guard lock(mutex_);
    const auto known = taken_.try_emplace(who, 0).first;
    if (known->second >= most_of_one_) return false;
    ++known->second;
    return true;
  }
  void GiveBack(const std::string& who) {
    const std::lock_guard lock(mutex_);
    if (const auto known = taken_.find(who); --known->second == 0) taken_.erase(known);
  }

 private:
  const int most_of_one_;
  std::mutex mutex_;
  std::map<std::string, int> taken_;  // guarded by mutex_
};

// Threads for what waits for the store, so that gRPC's own threads never do. Thread-safe.
class Workers {
 public:
  // At most `most_of_one` calls of one who calls are under way.
  Workers(int threads, int most_of_one) : calls_(most_of_one), pool_(static_cast<size_t>(threads)) {}

  void Post(std::function<void()> work) { boost::asio::post(pool_, std::move(work)); }
  // False: `who` has too many calls under way, each of which keeps its request in memory (AUT-6).
  bool PostCall(const std::string& who, std::function<void()> work) {
    if (!calls_.Take(who)) return false;
    Post([this, who, work = std::move(work)] {
      work();
      calls_.GiveBack(who);
    });
    return true;
  }
  // Runs what was posted, then ends the threads.
  void Stop() { pool_.join(); }

 private:
  Shares calls_;
  boost::asio::thread_pool pool_;
};

// Threads for long answers, one each. Thread-safe.
class Readers {
 public:
  // At most `most_of_one` of the threads are for one who asks.
  Readers(int threads, int most_of_one)
      : free_(threads), taken_(most_of_one), pool_(static_cast<size_t>(threads)) {}

  // False when all threads are taken, or all that `who` may have: a long answer is refused rather than left
  // waiting without a word.
  bool Post(const std::string& who, std::function<void()> work) {
    if (!Take(who)) return false;
    boost::asio::post(pool_, [this, who, work = std::move(work)] {
      work();
      taken_.GiveBack(who);
      free_.fetch_add(1);
    });
    return true;
  }
  void Stop() { pool_.join(); }

 private:
  bool Take(const std::string& who) {
    if (free_.fetch_sub(1) > 0 && taken_.Take(who)) return true;
    free_.fetch_add(1);
    return false;
  }

  std::atomic<int> free_;
  Shares taken_;
  boost::asio::thread_pool pool_;
};

}  // namespace cordon::controller
