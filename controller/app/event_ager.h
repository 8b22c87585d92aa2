#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "controller/store/store.h"

namespace cordon::controller {

// Takes events out of the store that are older than they are to be kept, every hour and in small steps, on a
// thread of its own.
class EventAger {
 public:
  // `up_to_position`: no event behind it is taken out (an export has not got it yet). `store` outlives this.
  EventAger(Store& store, int64_t keep_nanos, std::function<int64_t()> up_to_position);
  ~EventAger();
  EventAger(const EventAger&) = delete;
  EventAger& operator=(const EventAger&) = delete;

 private:
  void Run();
  bool Pause(int64_t nanos);  // false: stopping

  Store& store_;
  const int64_t keep_nanos_;
  const std::function<int64_t()> up_to_position_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;  // last: starts when all of the above is there
};

}  // namespace cordon::controller
