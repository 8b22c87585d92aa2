#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "platform/linux/system/fd.h"

namespace cordon::platform {

// A thread that empties a kernel buffer when the kernel announces new content, an interval has passed, or
// somebody flushes.
class DrainLoop {
 public:
  struct Work {
    int fd = -1;                           // its wake-ups are waited for, if it is one; stays the caller's
    std::chrono::milliseconds interval{};  // drained at least this often
    std::function<void()> begin;           // before everything else
    std::function<void()> drain;           // takes all that is there
    std::function<void()> end;             // after the stop request, before the last drain
  };

  ~DrainLoop() { Stop(); }

  // All of `work` is called on the new thread.
  absl::Status Start(Work work);
  // Joins after a last drain. Idempotent.
  void Stop();
  // Returns after a drain that began after this call, or after a second, or at once when the loop does not
  // run.
  void Flush();

 private:
  absl::Status Watch();
  void Run(const std::stop_token& stop);
  void DrainOnce();
  void Wake() const;
  void TakeWake() const;

  Work work_;
  Fd wake_;
  Fd epoll_;
  std::mutex mutex_;
  std::condition_variable flushed_;
  uint64_t wanted_ = 0;   // guarded by mutex_
  uint64_t done_ = 0;     // guarded by mutex_
  bool running_ = false;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace cordon::platform
