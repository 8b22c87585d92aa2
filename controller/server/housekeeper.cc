#include "controller/server/housekeeper.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "platform/api/system.h"

namespace cordon::controller {
namespace {

constexpr int64_t kStoreEveryNanos = kNanosPerSecond;
constexpr int64_t kSeenEveryNanos = 60 * kNanosPerSecond;
constexpr int64_t kShortestTickNanos = 10 * kNanosPerMilli;
constexpr int64_t kLongestTickNanos = 250 * kNanosPerMilli;

void FlushSeen(ServerParts& parts) {
  const std::vector<HostSeen> seen = parts.sessions.Seen();
  if (seen.empty()) return;
  const absl::Status written = parts.store.TouchHosts(seen);
  if (!written.ok())
    spdlog::error("cannot write when {} hosts were last seen: {}", seen.size(), Message(written));
}

}  // namespace

Housekeeper::Housekeeper(ServerParts& parts, std::function<void(const Health&)> report_health)
    : parts_(parts), report_health_(std::move(report_health)), thread_([this] { Run(); }) {}

void Housekeeper::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Housekeeper::Run() {
  int64_t next_store = 0;
  int64_t next_seen = parts_.clock.BootNanos() + kSeenEveryNanos;
  do {
    const int64_t now = parts_.clock.BootNanos();
    parts_.streams.TickAll(now);
    if (now >= next_store) {
      next_store = now + kStoreEveryNanos;
      CheckStore();
      ExpireOrders();
      parts_.streams.EndOutdated(parts_.clock.WallNanos());
    }
    if (now >= next_seen) {
      next_seen = now + kSeenEveryNanos;
      FlushSeen(parts_);
      parts_.budgets.Tidy(now);
      parts_.operator_budgets.Tidy(now);
      parts_.workers.Post(platform::ReleaseFreeMemory);  // takes its time: not on this thread
    }
  } while (WaitATick());
  FlushSeen(parts_);
}

bool Housekeeper::WaitATick() {
  const int64_t tick =
      std::clamp(parts_.options.heartbeat_deadline_nanos / 10, kShortestTickNanos, kLongestTickNanos);
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, std::chrono::nanoseconds(tick), [this] { return stopping_; });
}

void Housekeeper::ExpireOrders() {
  const absl::StatusOr<std::vector<v1::OrderOutcome>> expired = parts_.store.ExpireOrders();
  if (!expired.ok()) {
    spdlog::error("cannot mark orders as expired: {}", Message(expired.status()));
    return;
  }
  for (const v1::OrderOutcome& outcome : *expired) parts_.outcomes.Publish(outcome);
}

void Housekeeper::CheckStore() {
  const absl::StatusOr<int64_t> answer = parts_.store.NewestPosition();
  if (!answer.ok()) spdlog::error("the store does not answer: {}", Message(answer.status()));
  report_health_({.store = answer.ok(), .audit = parts_.audit.Whole()});
}

}  // namespace cordon::controller
