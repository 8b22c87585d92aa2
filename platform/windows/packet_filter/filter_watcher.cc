#include "platform/windows/packet_filter/filter_watcher.h"

#include <spdlog/spdlog.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/status.h"

namespace cordon::platform::wfp {
namespace {

class FilterWatcher final : public RulesetWatcher {
 public:
  FilterWatcher(OpenEngine open, std::unique_ptr<Clock> clock, WatcherTimes times)
      : open_(std::move(open)), clock_(std::move(clock)), times_(times) {}
  ~FilterWatcher() override { Stop(); }

  // Where WFP does not answer now, it is tried again until it does.
  absl::Status Start(std::function<void(std::vector<RulesetChange>)> changed) override {
    changed_ = std::move(changed);
    stop_ = false;
    thread_ = std::thread([this] { Work(); });
    return absl::OkStatus();
  }

  void Stop() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Work() {
    std::unique_ptr<FilterEngine> engine;
    std::unique_lock lock(mutex_);
    while (!stop_) {
      if (engine == nullptr) {
        lock.unlock();
        engine = Subscribe();
        lock.lock();
        news_ = news_ || (engine != nullptr && missed_);
      }
      if (!wake_.wait_for(lock, times_.retry, [this] { return stop_ || news_; })) {
        lock.unlock();
        LookAt(&engine);
        lock.lock();
        continue;
      }
      if (stop_) break;
      wake_.wait_for(lock, times_.fold, [this] { return stop_; });
      news_ = false;
      const bool missed = std::exchange(missed_, false);
      lock.unlock();
      changed_({RulesetChange{.boot_nanos = clock_->BootNanos(), .of_cordon = true, .missed = missed}});
      lock.lock();
    }
    lock.unlock();
    engine.reset();  // waits for a call that is under way, which takes the lock
  }

  // ISO-6: a subscription ends with the engine's service, and nobody tells.
  void LookAt(std::unique_ptr<FilterEngine>* engine) {
    if (*engine == nullptr) return;
    const absl::Status answer = (*engine)->HasSublayer().status();
    if (answer.ok()) return;
    spdlog::warn("WFP tells no changes any more: {}", Message(answer));
    engine->reset();
    missed_ = true;
  }

  std::unique_ptr<FilterEngine> Subscribe() {
    absl::StatusOr<std::unique_ptr<FilterEngine>> opened = open_();
    if (!opened.ok()) return nullptr;
    const absl::Status subscribed = (*opened)->Subscribe([this] {
      {
        const std::lock_guard lock(mutex_);
        news_ = true;
      }
      wake_.notify_all();
    });
    return subscribed.ok() ? *std::move(opened) : nullptr;
  }

  const OpenEngine open_;
  const std::unique_ptr<Clock> clock_;
  const WatcherTimes times_;
  std::function<void(std::vector<RulesetChange>)> changed_;
  bool missed_ = false;  // the thread's own
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;  // guarded by mutex_, as the next
  bool news_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<RulesetWatcher> MakeFilterWatcher(OpenEngine open, std::unique_ptr<Clock> clock,
                                                  WatcherTimes times) {
  return std::make_unique<FilterWatcher>(std::move(open), std::move(clock), times);
}

}  // namespace cordon::platform::wfp
