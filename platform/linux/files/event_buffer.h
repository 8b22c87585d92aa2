#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

namespace cordon::platform {

// What the reader took from the kernel and the translator has not seen yet. Bounded in bytes; what does not
// fit is counted, so that the loss has a number (TEL-1). Thread-safe: one reader, one translator.
class EventBuffer {
 public:
  struct Chunk {
    std::string bytes;           // of one read()
    int64_t boottime_nanos = 0;  // when it was read
    // When the kernel's queue was last seen empty before the read: what is in the chunk, and what an overflow
    // in it lost, happened after this.
    int64_t queue_empty_nanos = 0;
    uint64_t lost_before = 0;      // events dropped between the chunk before and this one
    int64_t lost_since_nanos = 0;  // the queue_empty_nanos of the first of them
    bool mounts_changed = false;   // the table of mounts changed before this chunk
  };

  explicit EventBuffer(size_t max_bytes) : max_bytes_(max_bytes) {}

  void Push(Chunk chunk);
  // Waits for a chunk; false when closed and empty.
  bool Pop(Chunk* chunk);
  // The same, not longer than `millis`.
  bool PopWithin(int millis, Chunk* chunk);
  void Close();
  void Open();  // again, after Close

 private:
  bool TakeFirst(Chunk* chunk);

  const size_t max_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Chunk> chunks_;
  size_t bytes_ = 0;
  uint64_t lost_ = 0;
  int64_t lost_since_ = 0;
  bool mounts_changed_ = false;
  bool closed_ = false;
};

}  // namespace cordon::platform
