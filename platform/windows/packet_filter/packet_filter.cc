// What the agent sees of WFP.

#include "platform/api/packet_filter.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "common/base/status.h"
#include "platform/api/places.h"
#include "platform/api/ruleset_watcher.h"
#include "platform/api/system.h"
#include "platform/windows/packet_filter/wfp_filter.h"
#include "platform/windows/system/security.h"
#include "platform/windows/system/service_control.h"

namespace cordon::platform {
namespace {

// WFP tells that filters changed, and not who did it. A burst is folded: the read-back finds what it did.
class FilterWatcher final : public RulesetWatcher {
 public:
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
  static constexpr std::chrono::seconds kRetry{30};
  static constexpr std::chrono::milliseconds kFold{100};

  void Work() {
    std::unique_ptr<wfp::FilterEngine> engine;
    std::unique_lock lock(mutex_);
    while (!stop_) {
      if (engine == nullptr) {
        lock.unlock();
        engine = Subscribe();
        lock.lock();
      }
      if (engine == nullptr) {
        wake_.wait_for(lock, kRetry, [this] { return stop_; });
        continue;
      }
      wake_.wait(lock, [this] { return stop_ || news_; });
      if (stop_) break;
      wake_.wait_for(lock, kFold, [this] { return stop_; });
      news_ = false;
      lock.unlock();
      changed_({RulesetChange{.boot_nanos = clock_->BootNanos(), .of_cordon = true, .missed = false}});
      lock.lock();
    }
    lock.unlock();
    engine.reset();  // waits for a call that is under way, which takes the lock
  }

  std::unique_ptr<wfp::FilterEngine> Subscribe() {
    absl::StatusOr<std::unique_ptr<wfp::FilterEngine>> opened = wfp::OpenFilterEngine();
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

  const std::unique_ptr<Clock> clock_ = MakeSystemClock();
  std::function<void(std::vector<RulesetChange>)> changed_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;  // guarded by mutex_, as the next
  bool news_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<PacketFilter> MakePacketFilter() {
  return wfp::MakeWfpFilter(wfp::OpenFilterEngine, {.executable = DefaultPlaces().executable,
                                                    .service_sid = ServiceSid(kServiceName)});
}

std::unique_ptr<RulesetWatcher> MakeRulesetWatcher() {
  return std::make_unique<FilterWatcher>();
}

}  // namespace cordon::platform
