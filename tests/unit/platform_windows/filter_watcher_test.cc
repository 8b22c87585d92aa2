#include "platform/windows/packet_filter/filter_watcher.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "tests/fakes/fake_clock.h"

namespace cordon::platform::wfp {
namespace {

// The engine's service: it can end, and take subscriptions with it.
struct Service {
  std::mutex mutex;
  bool dead_sessions = false;  // those that were opened before now
  int opened = 0;
  std::function<void()> changed;  // of the last subscription
};

class SubscribedEngine final : public FilterEngine {
 public:
  explicit SubscribedEngine(Service* service) : service_(*service) {}
  absl::Status Begin() override { return absl::OkStatus(); }
  absl::Status Commit() override { return absl::OkStatus(); }
  absl::Status Abort() override { return absl::OkStatus(); }
  absl::Status AddSublayer() override { return absl::OkStatus(); }
  absl::Status DeleteSublayer() override { return absl::OkStatus(); }
  absl::Status AddFilter(const Filter&, const FilterKey&) override { return absl::OkStatus(); }
  absl::Status DeleteFilter(const FilterKey&) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<HeldFilter>> ListFilters() override { return std::vector<HeldFilter>(); }
  absl::StatusOr<bool> HasSublayer() override {
    const std::lock_guard lock(service_.mutex);
    if (service_.dead_sessions) return absl::UnavailableError("the session is gone");
    return false;
  }
  absl::StatusOr<std::string> ProgramOf(const std::string& path) override { return path; }
  absl::Status Subscribe(std::function<void()> changed) override {
    const std::lock_guard lock(service_.mutex);
    service_.changed = std::move(changed);
    return absl::OkStatus();
  }

 private:
  Service& service_;
};

class FilterWatcherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto open = [this]() -> absl::StatusOr<std::unique_ptr<FilterEngine>> {
      const std::lock_guard lock(service_.mutex);
      ++service_.opened;
      service_.dead_sessions = false;
      return std::make_unique<SubscribedEngine>(&service_);
    };
    watcher_ =
        MakeFilterWatcher(open, std::make_unique<cordon::testing::FakeClock>(),
                          {.retry = std::chrono::milliseconds(20), .fold = std::chrono::milliseconds(1)});
    ASSERT_TRUE(watcher_
                    ->Start([this](std::vector<RulesetChange> changes) {
                      const std::lock_guard lock(mutex_);
                      for (RulesetChange& change : changes) told_.push_back(std::move(change));
                      heard_.notify_all();
                    })
                    .ok());
  }
  bool Hears(size_t changes) {
    std::unique_lock lock(mutex_);
    return heard_.wait_for(lock, std::chrono::seconds(10), [&] { return told_.size() >= changes; });
  }
  bool Opened(int times) {
    for (int look = 0; look < 1'000; ++look) {
      {
        const std::lock_guard lock(service_.mutex);
        if (service_.opened >= times && service_.changed != nullptr) return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  void Change() {
    std::function<void()> changed;
    {
      const std::lock_guard lock(service_.mutex);
      changed = service_.changed;
    }
    changed();
  }

  Service service_;
  std::mutex mutex_;
  std::condition_variable heard_;
  std::vector<RulesetChange> told_;
  std::unique_ptr<RulesetWatcher> watcher_;
};

TEST_F(FilterWatcherTest, AChangeIsToldAndAnEngineThatAnswersIsKept) {
  ASSERT_TRUE(Opened(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // several looks
  Change();
  ASSERT_TRUE(Hears(1));
  watcher_->Stop();
  EXPECT_FALSE(told_.front().missed);
  EXPECT_EQ(told_.size(), 1U);
  EXPECT_EQ(service_.opened, 1);
}

TEST_F(FilterWatcherTest, ISO6_AnEngineThatWentAwayIsSubscribedToAnewAndWhatWasMissedIsSaid) {
  ASSERT_TRUE(Opened(1));
  {
    const std::lock_guard lock(service_.mutex);
    service_.dead_sessions = true;
    service_.changed = nullptr;
  }
  ASSERT_TRUE(Hears(1));
  ASSERT_TRUE(Opened(2));
  Change();
  ASSERT_TRUE(Hears(2));
  watcher_->Stop();
  EXPECT_TRUE(told_[0].missed);
  EXPECT_FALSE(told_[1].missed);
}

}  // namespace
}  // namespace cordon::platform::wfp
