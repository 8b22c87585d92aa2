#include "agent/keeper/keeper.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "agent/isolation/isolation_lock.h"
#include "agent/isolation/state_file.h"
#include "agent/names/kept_names.h"
#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {
namespace {

constexpr std::chrono::seconds kLookEvery(1);
constexpr int64_t kReadBackEvery = 10 * kNanosPerSecond;  // beside the watcher, which may not run
constexpr size_t kMostChanges = platform::RulesetWatcher::kMostTold;

// The keeper has no spool: what would be events stands in the system's log.
class LogSink final : public EventSink {
 public:
  void Emit(v1::EventClass /*event_class*/, int64_t /*time_unix_nanos*/, v1::Event event) override {
    if (event.has_rules_drift()) return;  // DriftRepair has said who it was
    spdlog::warn("isolation: {}", InWords(event));
  }
};

}  // namespace

std::string InWords(const v1::Event& event) {
  if (event.has_unlock_attempt()) return StrCat("the unlock ended: ", event.unlock_attempt().detail());
  if (event.has_isolation_changed()) {
    const v1::Receipt& receipt = event.isolation_changed().receipt();
    return StrCat(event.isolation_changed().cause(), ": ", v1::Level_Name(receipt.enforced_level()), ", ",
                  v1::Containment_Name(receipt.containment()));
  }
  return event.ShortDebugString();
}

Keeper::Keeper(std::filesystem::path state_dir, std::string boot_id, const Clock& clock)
    : state_dir_(std::move(state_dir)),
      boot_id_(std::move(boot_id)),
      clock_(clock),
      log_(std::make_unique<LogSink>()),
      filter_(platform::MakePacketFilter()),
      connections_(platform::MakeConnectionTable()),
      leaks_(platform::MakeLeakCounter()),
      names_(MakeKeptNames(state_dir_ / kGuardPortFile)),
      links_(platform::MakeLinkWatcher()),
      rules_(platform::MakeRulesetWatcher()),
      hold_(state_dir_ / kBootHoldFile, boot_id_, clock) {}

// From what is on disk now, also when an agent has changed it since.
void Keeper::Begin() {
  {
    const std::lock_guard guard(mutex_);
    has_the_host_ = true;  // before the rules are put in force: who changes them then is seen
  }
  isolation_.reset();
  filter_ = platform::MakePacketFilter();  // what it remembers of the kernel's rules is not the agent's doing
  isolation_ = std::make_unique<Isolation>(IsolationParts{.filter = filter_.get(),
                                                          .connections = connections_.get(),
                                                          .clock = &clock_,
                                                          .events = log_.get(),
                                                          .escape = nullptr,
                                                          .channel = nullptr,
                                                          .names = names_.get(),
                                                          .leaks = leaks_.get()},
                                           IsolationOptions{.state_file = state_dir_ / kIsolationStateFile,
                                                            .boot_id = boot_id_,
                                                            .hold = hold_.Begin(),
                                                            .others_write = true});
  restored_ = isolation_->Restore();
  checked_boot_nanos_ = clock_.BootNanos();
}

absl::Status Keeper::Restore() {
  std::error_code unknown;
  const bool there = std::filesystem::exists(state_dir_, unknown);
  if (!there && !unknown) return absl::OkStatus();  // a host that never had an agent
  News news;
  {
    const std::lock_guard guard(mutex_);
    news = std::exchange(news_, {});
  }
  const auto lock = LockIsolation(state_dir_, std::chrono::milliseconds(0));
  if (absl::IsAlreadyExists(lock.status())) {
    isolation_.reset();
    const std::lock_guard guard(mutex_);
    has_the_host_ = false;
    return absl::OkStatus();  // the agent's business
  }
  // Where no lock can be had (a full or read-only disk), the rules matter more.
  if (!lock.ok() && !std::exchange(warned_, true)) spdlog::warn("isolation: {}", Message(lock.status()));
  Look(std::move(news));
  return restored_;
}

void Keeper::Look(News news) {
  if (!isolation_ || isolation_->Overtaken()) {
    Begin();
    return;
  }
  if (!news.rules.empty()) isolation_->OnRulesChanged(std::move(news.rules));
  isolation_->Tick();
  if (isolation_->Overtaken()) return Begin();  // an agent without the lock, at this moment
  if (hold_.RemainingNanos() == 0) isolation_->EndHold("no controller was asked in time");
  if (!news.links_changed && clock_.BootNanos() - checked_boot_nanos_ < kReadBackEvery) return;
  checked_boot_nanos_ = clock_.BootNanos();
  isolation_->OnLinksChanged();
}

// From another thread.
void Keeper::OnRules(std::vector<platform::RulesetChange> changes) {
  const std::lock_guard guard(mutex_);
  if (!has_the_host_) return;
  for (platform::RulesetChange& change : changes) {
    if (news_.rules.size() > kMostChanges) break;
    if (news_.rules.size() == kMostChanges) change = {.boot_nanos = change.boot_nanos, .missed = true};
    news_.rules.push_back(std::move(change));
  }
  wake_.notify_one();
}

// Before the first look: what comes in between is seen after it.
absl::Status Keeper::Watch() {
  CORDON_RETURN_IF_ERROR(links_->Start([this] {
    const std::lock_guard guard(mutex_);
    news_.links_changed = true;
    wake_.notify_one();
  }));
  // Without it the rules are still read back by time.
  if (const absl::Status watched = rules_->Start(
          [this](std::vector<platform::RulesetChange> changes) { OnRules(std::move(changes)); });
      !watched.ok()) {
    spdlog::warn("isolation: changes of the rules by others are found by time only: {}", Message(watched));
  }
  return absl::OkStatus();
}

absl::Status Keeper::Run(const std::function<void()>& ready) {
  CORDON_RETURN_IF_ERROR(Watch());
  const absl::Status first = Restore();
  if (first.ok()) spdlog::info("isolation: the saved state is in force");
  if (!first.ok()) spdlog::error("isolation: {}", Message(first));
  ready();
  std::unique_lock guard(mutex_);
  while (!stop_) {
    wake_.wait_for(guard, kLookEvery, [this] { return stop_ || news_.Any(); });
    if (stop_) break;
    guard.unlock();
    static_cast<void>(Restore());  // said in the log when it is new
    guard.lock();
  }
  guard.unlock();
  links_->Stop();
  rules_->Stop();
  return absl::OkStatus();
}

void Keeper::Stop() {
  const std::lock_guard guard(mutex_);
  stop_ = true;
  wake_.notify_one();
}

}  // namespace cordon::agent
