#include "agent/integrity/long_files.h"

#include <system_error>
#include <utility>

#include "common/base/text.h"

namespace cordon::agent {

void LongFiles::Put(PendingFact pending) {
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread([this] { Run(); });
    } catch (const std::system_error&) {  // then others wait, this once
      return Tell(std::move(pending));
    }
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return pending_.size() < kMost; });
  ++by_path_[pending.fact.change.path()];
  pending_.push_back(std::move(pending));
  changed_.notify_all();
}

bool LongFiles::Holds(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return !by_path_.empty() && by_path_.contains(path);
}

void LongFiles::Finish() {
  {
    const std::lock_guard lock(mutex_);
    finishing_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void LongFiles::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return finishing_ || !pending_.empty(); });
    if (pending_.empty()) return;
    PendingFact next = std::move(pending_.front());
    pending_.pop_front();
    changed_.notify_all();
    const std::string path = next.fact.change.path();
    lock.unlock();
    Tell(std::move(next));
    lock.lock();
    if (const auto found = by_path_.find(path); --found->second == 0) by_path_.erase(found);
  }
}

void LongFiles::Tell(PendingFact pending) {
  if (pending.file != nullptr) {
    if (pending.file->found.hash_later) hash_(*pending.file);
    *pending.fact.change.mutable_state() = pending.file->found.state;
    pending.fact.change.set_hash_skipped_reason(EscapeToUtf8(pending.file->found.hash_skipped));
  }
  emit_(std::move(pending.fact));
}

}  // namespace cordon::agent
