#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
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
  explicit Readers(int threads) : free_(threads), pool_(static_cast<size_t>(threads)) {}

  // False when all threads are taken: a long answer is refused rather than left waiting without a word.
  bool Post(std::function<void()> work) {
    if (free_.fetch_sub(1) <= 0) {
      free_.fetch_add(1);
      return false;
    }
    boost::asio::post(pool_, [this, work = std::move(work)] {
      work();
      free_.fetch_add(1);
    });
    return true;
  }
  void Stop() { pool_.join(); }

 private:
  std::atomic<int> free_;
  boost::asio::thread_pool pool_;
};

}  // namespace cordon::controller
