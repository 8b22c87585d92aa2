#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "agent/scan/pace.h"
#include "common/base/clock.h"
#include "platform/api/load_meter.h"

namespace cordon::agent {

// Keeps to the pace: holds back the threads that ask it, for as long as the machine is needed by others. A
// thread of its own reads the load every few seconds. Thread-safe.
class Manners {
 public:
  // `stopped`: asked by those that are held back; they are let go at once. Both must outlive it.
  Manners(std::unique_ptr<platform::LoadMeter> meter, const Clock& clock, std::function<bool()> stopped);
  ~Manners();

  // Returns when the caller may work for about 50 ms, or is to stop. To be asked often.
  void Wait();

 private:
  void Run(const std::stop_token& stop);

  const std::unique_ptr<platform::LoadMeter> meter_;
  const Clock& clock_;
  const std::function<bool()> stopped_;
  PaceMaker maker_;
  std::atomic<Pace> pace_ = Pace::kFull;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace cordon::agent
