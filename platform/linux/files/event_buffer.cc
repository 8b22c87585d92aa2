#include "platform/linux/files/event_buffer.h"

#include <chrono>
#include <utility>

#include "platform/linux/files/fanotify_decode.h"

namespace cordon::platform {

void EventBuffer::Push(Chunk chunk) {
  const std::lock_guard lock(mutex_);
  if (bytes_ + chunk.bytes.size() > max_bytes_) {
    if (lost_ == 0) lost_since_ = chunk.queue_empty_nanos;
    lost_ += CountFanotifyEvents(chunk.bytes);
    mounts_changed_ |= chunk.mounts_changed;
    return;
  }
  chunk.lost_before += std::exchange(lost_, 0);
  chunk.lost_since_nanos = lost_since_;
  chunk.mounts_changed |= std::exchange(mounts_changed_, false);
  bytes_ += chunk.bytes.size();
  chunks_.push_back(std::move(chunk));
  changed_.notify_one();
}

bool EventBuffer::Pop(Chunk* chunk) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return closed_ || lost_ > 0 || !chunks_.empty(); });
  return TakeFirst(chunk);
}

bool EventBuffer::PopWithin(int millis, Chunk* chunk) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(millis),
                    [&] { return closed_ || lost_ > 0 || !chunks_.empty(); });
  return TakeFirst(chunk);
}

void EventBuffer::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void EventBuffer::Open() {
  const std::lock_guard lock(mutex_);
  closed_ = false;
}

bool EventBuffer::TakeFirst(Chunk* chunk) {
  if (chunks_.empty()) {
    if (lost_ == 0) return false;
    *chunk = {.lost_before = std::exchange(lost_, 0),
              .lost_since_nanos = lost_since_};  // told even at the end
    return true;
  }
  *chunk = std::move(chunks_.front());
  chunks_.pop_front();
  bytes_ -= chunk->bytes.size();
  return true;
}

}  // namespace cordon::platform
