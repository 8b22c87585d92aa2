#include "controller/app/event_ager.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "common/base/clock.h"
#include "common/base/status.h"

namespace cordon::controller {
namespace {

constexpr int64_t kEveryNanos = 3'600 * kNanosPerSecond;
constexpr int64_t kBetweenStepsNanos = 20 * kNanosPerMilli;  // hosts' batches go between

}  // namespace

EventAger::EventAger(Store& store, int64_t keep_nanos, std::function<int64_t()> up_to_position)
    : store_(store),
      keep_nanos_(keep_nanos),
      up_to_position_(std::move(up_to_position)),
      thread_([this] { Run(); }) {}

EventAger::~EventAger() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void EventAger::Run() {
  bool more = false;
  do {
    const absl::StatusOr<bool> aged = store_.AgeOutEvents(keep_nanos_, up_to_position_());
    if (!aged.ok()) spdlog::error("old events stay in the store for now: {}", Message(aged.status()));
    more = aged.ok() && *aged;
  } while (Pause(more ? kBetweenStepsNanos : kEveryNanos));
}

bool EventAger::Pause(int64_t nanos) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, std::chrono::nanoseconds(nanos), [this] { return stopping_; });
}

}  // namespace cordon::controller
