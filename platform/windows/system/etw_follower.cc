#include "platform/windows/system/etw_follower.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "common/base/status.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

// Where nothing was recorded since, nothing is handed over, and whoever names a process for each changed file
// would wait as long each time.
constexpr std::chrono::milliseconds kFlushPatience(300);
constexpr std::chrono::seconds kTryAgainEvery(5);

}  // namespace

absl::Status EtwFollower::Start(EtwAsk ask, Calls calls) {
  ask_ = std::move(ask);
  calls_ = std::move(calls);
  CORDON_RETURN_IF_ERROR(Open());
  {
    const std::lock_guard lock(mutex_);
    stopped_ = false;
    follows_ = true;
  }
  thread_ = std::thread([this] { Work(); });
  return absl::OkStatus();
}

void EtwFollower::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    follows_ = false;
  }
  changed_.notify_all();
  {
    const std::lock_guard lock(session_mutex_);
    session_.Close();  // after it, Process returns
  }
  if (thread_.joinable()) thread_.join();
}

void EtwFollower::Hurry() {
  const std::lock_guard lock(session_mutex_);
  session_.Flush();
}

void EtwFollower::Flush() {
  std::unique_lock lock(mutex_);
  const uint64_t wanted = buffers_ + 1;
  lock.unlock();
  Hurry();
  lock.lock();
  changed_.wait_for(lock, kFlushPatience, [&] { return stopped_ || buffers_ >= wanted; });
}

bool EtwFollower::Follows() const {
  const std::lock_guard lock(mutex_);
  return follows_;
}

absl::Status EtwFollower::Open() {
  return session_.Open(
      ask_, [this](const EVENT_RECORD& record) { calls_.event(record); }, [this] { TakeBuffer(); });
}

void EtwFollower::Work() {
  while (true) {
    const auto began = std::chrono::steady_clock::now();
    session_.Process();
    SetFollows(false);
    // Where somebody ends each one, not in a circle without rest.
    if (std::chrono::steady_clock::now() - began < kTryAgainEvery && StopsWithin(kTryAgainEvery)) return;
    while (!OpenAgain())
      if (StopsWithin(kTryAgainEvery)) return;
    SetFollows(true);
    calls_.begun_anew();
  }
}

bool EtwFollower::StopsWithin(std::chrono::seconds wait) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, wait, [this] { return stopped_; });
}

void EtwFollower::SetFollows(bool follows) {
  const std::lock_guard lock(mutex_);
  follows_ = follows && !stopped_;
}

bool EtwFollower::OpenAgain() {
  const std::lock_guard session_lock(session_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return false;
  }
  session_.Close();
  const absl::Status opened = Open();
  if (!opened.ok())
    spdlog::warn("the trace \"{}\" has ended, and no new one begins: {}", Narrow(ask_.name), Message(opened));
  return opened.ok();
}

void EtwFollower::TakeBuffer() {
  calls_.buffer();
  const std::lock_guard lock(mutex_);
  ++buffers_;
  changed_.notify_all();
}

}  // namespace cordon::platform
