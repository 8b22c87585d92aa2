#include "agent/integrity/long_files.h"

#include <spdlog/spdlog.h>

#include <system_error>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/system.h"

namespace cordon::agent {
namespace {

constexpr size_t kMostBehind =
    4;  // times the limit: facts of files that are pending, which must stay in order

}  // namespace

bool LongFiles::StartThread() {
  if (thread_.joinable()) return true;
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

// Under mutex_.
bool LongFiles::IsTooMuch(const PendingFact& pending) const {
  if (pending.file == nullptr) return false;
  return pending_.size() >= limits_.files || (bytes_ > 0 && bytes_ + pending.bytes > limits_.bytes);
}

// A file of its own: other facts about the same one may have its hash yet, on the other thread.
void LongFiles::GiveUpHash(PendingFact* pending) {
  auto file = std::make_shared<LongFile>();
  file->found.state = pending->fact.change.state();
  file->found.hash_skipped = "too many long files were waiting to be hashed";
  pending->file = std::move(file);
  pending->bytes = 0;
}

void LongFiles::Put(PendingFact pending) {
  if (!StartThread()) return Tell(std::move(pending));  // then others wait, this once
  const std::string path = pending.fact.change.path();
  if (pending.file != nullptr) pending.bytes = pending.fact.change.state().size();
  std::unique_lock lock(mutex_);
  if (IsTooMuch(pending)) {
    GiveUpHash(&pending);
    if (!by_path_.contains(path)) {
      lock.unlock();
      return Tell(std::move(pending));
    }
  }
  // Not for the backlog: beyond the limit nothing of it is hashed any more.
  changed_.wait(lock, [&] { return pending_.size() < kMostBehind * limits_.files; });
  ++by_path_[path];
  bytes_ += pending.bytes;
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
  if (const absl::Status low = platform::LowerThreadPriority(); !low.ok()) spdlog::debug("{}", Message(low));
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return finishing_ || !pending_.empty(); });
    if (pending_.empty()) return;
    PendingFact next = std::move(pending_.front());
    pending_.pop_front();
    bytes_ -= next.bytes;
    if (next.file != nullptr && pending_.size() > limits_.files) GiveUpHash(&next);
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
