#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "platform/api/process_source.h"

namespace cordon::testing {

// Delivers what a test tells it to, on the test's own thread.
class FakeProcessSource final : public platform::ProcessSource {
 public:
  absl::Status Start(std::function<void(std::span<platform::RawProcessEvent>)> deliver) override {
    if (!start_status_.ok()) return start_status_;
    deliver_ = std::move(deliver);
    return absl::OkStatus();
  }
  void Stop() override { deliver_ = nullptr; }
  void Flush() override {
    ++flushes_;
    if (on_flush_) std::exchange(on_flush_, nullptr)();
  }
  int64_t StartTimeAt(int64_t boottime_nanos) const override { return boottime_nanos + set_forward_; }
  platform::ProcessSourceInfo Info() const override { return info_; }

  void FailToStart(absl::Status status) { start_status_ = std::move(status); }
  void BeAFallback(std::string limitation) {
    info_ = {.name = "fake", .fallback = true, .limitations = {std::move(limitation)}};
  }

  void Say(std::vector<platform::RawProcessEvent> events) {
    if (deliver_) deliver_(events);
  }
  void Fork(platform::ProcessKey child, platform::ProcessKey parent, int64_t at) {
    Say({{.boottime_nanos = at, .fact = platform::RawFork{.child = child, .parent = parent}}});
  }
  void Exec(int64_t at, platform::RawExec exec) { Say({{.boottime_nanos = at, .fact = std::move(exec)}}); }
  void Exit(int64_t at, platform::RawExit exit) { Say({{.boottime_nanos = at, .fact = exit}}); }
  void Lose(platform::RawLoss loss) { Say({{.boottime_nanos = loss.last_boottime_nanos, .fact = loss}}); }

  // What the kernel would hand over when it is asked now.
  void OnNextFlush(std::function<void()> act) { on_flush_ = std::move(act); }
  int Flushes() const { return flushes_; }
  // The clock by which the system records starts was set forward so far since the boot.
  void SetClockForward(int64_t nanos) { set_forward_ = nanos; }

 private:
  absl::Status start_status_;
  std::function<void(std::span<platform::RawProcessEvent>)> deliver_;
  std::function<void()> on_flush_;
  std::atomic<int> flushes_ = 0;
  int64_t set_forward_ = 0;
  platform::ProcessSourceInfo info_{.name = "fake", .fallback = false, .limitations = {}};
};

}  // namespace cordon::testing
