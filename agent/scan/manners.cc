#include "agent/scan/manners.h"

#include <chrono>
#include <utility>

namespace cordon::agent {
namespace {

constexpr int64_t kWorkNanos = 50 * kNanosPerMilli;
constexpr int kSlowPieces = 2;  // of rest, of kLook each, after a piece of work
constexpr auto kLook = std::chrono::milliseconds(50);
constexpr auto kReadEvery = std::chrono::nanoseconds(PaceMaker::kStepNanos);

}  // namespace

Manners::Manners(std::unique_ptr<platform::LoadMeter> meter, const Clock& clock,
                 std::function<bool()> stopped)
    : meter_(std::move(meter)),
      clock_(clock),
      stopped_(std::move(stopped)),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

Manners::~Manners() = default;

void Manners::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pace_ = maker_.Next(meter_->Read(), clock_.BootNanos());
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, kReadEvery, [] { return false; });
  }
}

void Manners::Wait() {
  thread_local int64_t worked_since = 0;
  while (pace_ == Pace::kRest && !stopped_()) std::this_thread::sleep_for(kLook);
  if (pace_ == Pace::kFull) return;
  const int64_t now = clock_.BootNanos();
  if (now - worked_since < kWorkNanos) return;
  for (int i = 0; i < kSlowPieces && !stopped_(); ++i) std::this_thread::sleep_for(kLook);
  worked_since = clock_.BootNanos();
}

}  // namespace cordon::agent
