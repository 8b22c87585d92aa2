#pragma once

// An isolation whose rules are watched and repaired, on a loop of its own as in the agent.

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "agent/app/ruleset_mailbox.h"
#include "agent/isolation/isolation.h"
#include "platform/api/system.h"
#include "tests/fakes/fake_probes.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/net_namespace.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {

class WatchedIsolation {
 public:
  // In the network namespace `host`; both outlive this object. Throws when it cannot watch.
  WatchedIsolation(const NetNamespace& host, platform::PacketFilter& filter) {
    {
      const InNetNamespace inside(host);
      connections_ = platform::MakeConnectionTable();
      escape_ = agent::MakeEscapeProbe();
      leaks_ = platform::MakeLeakCounter();
      bypasses_ = platform::MakeBypassScanner();
      isolation_ = std::make_unique<agent::Isolation>(
          agent::IsolationParts{.filter = &filter,
                                .connections = connections_.get(),
                                .clock = clock_.get(),
                                .events = &events_,
                                .escape = escape_.get(),
                                .channel = &channel_,
                                .bypasses = bypasses_.get(),
                                .leaks = leaks_.get()},
          agent::IsolationOptions{.state_file = folder_ / "isolation.state", .boot_id = "boot-1"});
      watcher_ = platform::MakeRulesetWatcher();
      const absl::Status started =
          watcher_->Start([this](auto changes) { mailbox_.Put(std::move(changes)); });
      if (!started.ok()) throw std::runtime_error(started.ToString());
    }
    loop_thread_ = std::thread([this, &host] {
      const InNetNamespace inside(host);
      loop_.run();
    });
  }
  ~WatchedIsolation() {
    watcher_->Stop();
    work_.reset();
    loop_thread_.join();
  }

  // On the loop, as everything of Isolation.
  template <typename Result>
  Result OnLoop(std::function<Result(agent::Isolation&)> what) {
    std::promise<Result> done;
    boost::asio::post(loop_, [&] { done.set_value(what(*isolation_)); });
    return done.get_future().get();
  }
  absl::StatusOr<v1::Receipt> Set(const v1::IsolateAction& action) {
    return OnLoop<absl::StatusOr<v1::Receipt>>([&](agent::Isolation& isolation) {
      auto receipt = isolation.Set(action, "order", ++sequence_);
      isolation.Tick();
      return receipt;
    });
  }
  bool Release() {
    return OnLoop<bool>(
        [&](agent::Isolation& isolation) { return isolation.Release("release", ++sequence_).ok(); });
  }
  v1::Receipt Receipt() {
    return OnLoop<v1::Receipt>([](agent::Isolation& isolation) { return isolation.ReadReceipt(); });
  }
  void Tick() {
    OnLoop<bool>([](agent::Isolation& isolation) {
      isolation.Tick();
      return true;
    });
  }

  boost::asio::io_context& Loop() { return loop_; }
  RecordingSink& Events() { return events_; }
  std::vector<v1::RulesDrift> Drifts() const { return DriftsOf(events_.Events()); }
  // And forgets them: in a long storm a pid comes again.
  std::vector<v1::RulesDrift> TakeDrifts() { return DriftsOf(events_.TakeEvents()); }
  // Waits until a change by process `pid` is told.
  bool IsTold(uint32_t pid) {
    return events_.WaitFor(
        [&](const v1::Event& event) { return event.has_rules_drift() && event.rules_drift().pid() == pid; });
  }

 private:
  static std::vector<v1::RulesDrift> DriftsOf(const std::vector<RecordedEvent>& events) {
    std::vector<v1::RulesDrift> drifts;
    for (const RecordedEvent& recorded : events) {
      if (recorded.event.has_rules_drift()) drifts.push_back(recorded.event.rules_drift());
    }
    return drifts;
  }

  TempFolder folder_;
  std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  RecordingSink events_;
  FakeChannelProbe channel_;
  std::unique_ptr<platform::ConnectionTable> connections_;
  std::unique_ptr<agent::EscapeProbe> escape_;
  std::unique_ptr<platform::LeakCounter> leaks_;
  std::unique_ptr<platform::BypassScanner> bypasses_;
  std::unique_ptr<agent::Isolation> isolation_;
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{loop_.get_executor()};
  agent::RulesetMailbox mailbox_{loop_,
                                 [this](auto changes) { isolation_->OnRulesChanged(std::move(changes)); }};
  std::unique_ptr<platform::RulesetWatcher> watcher_;
  std::thread loop_thread_;
  uint64_t sequence_ = 0;
};

}  // namespace cordon::testing
