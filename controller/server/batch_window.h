#pragma once

#include <cstdint>
#include <mutex>

namespace cordon::controller {

// When a Telemetry stream may read: one batch at a time, each queued for the store before the next one is
// read, so that none overtakes another; and no more than `most` that the store has not committed.
// Thread-safe.
class BatchWindow {
 public:
  explicit BatchWindow(int most) : most_(most) {}

  // True: the caller reads now, and says Read when that is done.
  bool MayRead(int64_t now_boot_nanos) {
    const std::lock_guard lock(mutex_);
    // Whoever is refused by the time, comes back by Tick.
    if (reading_ || half_closed_ || uncommitted_ >= most_ || now_boot_nanos < read_after_boot_nanos_)
      return false;
    reading_ = true;
    return true;
  }

  // A batch was read; none is before `read_after_boot_nanos`. The next one is not before Queued.
  void Read(int64_t read_after_boot_nanos) {
    const std::lock_guard lock(mutex_);
    ++uncommitted_;
    if (read_after_boot_nanos > 0) read_after_boot_nanos_ = read_after_boot_nanos;
  }

  // The batch that was read has its place before all that follow.
  void Queued() {
    const std::lock_guard lock(mutex_);
    reading_ = false;
  }

  // The host sends no more. True: nothing is open, the stream has finished.
  bool HalfClosed() {
    const std::lock_guard lock(mutex_);
    half_closed_ = true;
    return uncommitted_ == 0;
  }

  // The store has one batch. True: it was the last one, the stream has finished.
  bool Committed() {
    const std::lock_guard lock(mutex_);
    --uncommitted_;
    return half_closed_ && uncommitted_ == 0;
  }

  // True: a budget that was spent has room again.
  bool Tick(int64_t now_boot_nanos) {
    const std::lock_guard lock(mutex_);
    if (read_after_boot_nanos_ == 0 || now_boot_nanos < read_after_boot_nanos_) return false;
    read_after_boot_nanos_ = 0;
    return true;
  }

 private:
  const int most_;
  std::mutex mutex_;
  int uncommitted_ = 0;
  int64_t read_after_boot_nanos_ = 0;  // the host's budget is spent until then
  bool reading_ = false;
  bool half_closed_ = false;  // the host sends no more; what it sent is still acknowledged
};

}  // namespace cordon::controller
