// How the agent starts, serves and stops; what it is made of stands in agent.cc.

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <future>
#include <utility>

#include "agent/app/agent.h"
#include "agent/app/host_facts.h"
#include "agent/app/lifecycle.h"
#include "common/base/status.h"

namespace cordon::agent {
namespace {

constexpr std::chrono::seconds kLeaseTick(1);
constexpr std::chrono::seconds kTidyInterval(30);  // what a burst of events needed goes back soon after
constexpr std::chrono::seconds kFlushTimeout(10);
constexpr std::chrono::seconds kLastWords(2);  // for events to reach the controller when the agent stops
constexpr std::chrono::seconds kLoopAnswer(2);

}  // namespace

absl::Status Agent::Run() {
  CORDON_RETURN_IF_ERROR(Start());
  platform::NotifyServiceReady();
  spdlog::info("agent: runs as {} at site {}", host_.identity.host_id, host_.identity.site);
  loop_.run();
  return Finish();
}

absl::Status Agent::Start() {
  CORDON_ASSIGN_OR_RETURN(local_, LocalServer::Start(config_.Socket(), MakeLocalCalls()));
  CORDON_RETURN_IF_ERROR(Annotate(link_watcher_->Start([this] {
    boost::asio::post(loop_, [this] { isolation_->OnLinksChanged(link_watcher_->MovedAway()); });
  }),
                                  "cannot watch for new interfaces"));
  CORDON_RETURN_IF_ERROR(ruleset_watcher_->Start(
      [this](std::vector<platform::RulesetChange> changes) { ruleset_mailbox_->Put(std::move(changes)); }));
  isolation_->OnLinksChanged();  // those that came since the rules were restored
  lease_tick_.emplace(loop_, kLeaseTick, [this] {
    LockIsolationLate();
    isolation_->Tick();
    self_isolator_->Tick();
    gate_->Tick();
  });
  steady_receipt_.emplace(loop_, pace_.receipt, [this] {
    SendReceiptNow();
    platform::ReleaseUnusedCode();
  });
  tidy_.emplace(loop_, kTidyInterval, [first = true]() mutable {
    platform::ReleaseFreeMemory();
    if (std::exchange(first, false)) platform::ReleaseUnusedCode();  // the start is over
  });
  StartSensors();
  gate_->Resume();
  scans_->ResumeInterrupted();
  CORDON_RETURN_IF_ERROR(link_->Start());
  channel_probe_.Use(link_.get());
  boot_question_->Ask();
  health_->Start();
  return absl::OkStatus();
}

// A sensor that cannot start is told by its gap event and its health; the rest goes on without it.
void Agent::StartSensors() {
  if (const absl::Status status = processes_->Start(); !status.ok()) {
    spdlog::error("process sensor: {}", Message(status));
  }
  if (const absl::Status status = files_->Start(PolicyInForce()); !status.ok()) {
    spdlog::error("file sensor: {}", Message(status));
  }
  EmitNotWatching(*events_, *clock_, started_unix_nanos_, "the sensors were starting");
  if (!flows_) return;
  if (const absl::Status status = flows_->Start(); !status.ok()) {
    spdlog::warn("flows: {}", Message(status));
  }
}

v1::Policy Agent::PolicyInForce() {
  const absl::StatusOr<std::optional<v1::Policy>> stored = gate_->StoredPolicy();
  if (!stored.ok()) spdlog::error("policy: {}; the defaults are watched", Message(stored.status()));
  return stored.ok() && stored->has_value() ? **stored : DefaultWatchPolicy();
}

void Agent::SendReceiptNow() {
  const v1::Receipt receipt = isolation_->ReadReceipt();
  receipts_.Set(receipt);
  link_->SendReceipt(receipt);
}

// On one of gRPC's threads.
v1::GetStatusResponse Agent::LocalStatus() {
  const auto fresh = std::make_shared<std::promise<void>>();
  boost::asio::post(loop_, [this, fresh] {
    receipts_.Set(isolation_->ReadReceipt());  // on the loop, so that none takes the place of a newer one
    fresh->set_value();
  });
  fresh->get_future().wait_for(kLoopAnswer);  // late: the last one tells its time

  const LinkStatus link = link_->Status();
  v1::GetStatusResponse status;
  status.set_host_id(host_.identity.host_id);
  status.set_host_name(MakeHostFacts(facts_, config_).host_name());
  status.set_site(host_.identity.site);
  status.set_fleet_id(host_.identity.fleet_id);
  status.set_connected(link.connected);
  status.set_controller(link.controller);
  status.set_connected_since_unix_nanos(link.since_unix_nanos);
  status.set_last_link_error(link.last_error);
  *status.mutable_health() = health_->Report();
  return status;
}

// AUT-5, TEL-4: what changes something now might not be recorded any more.
static absl::Status Stopping() {
  return absl::UnavailableError("the agent is stopping: ask again when it has started");
}

// What changes something runs on the loop.
LocalCalls Agent::MakeLocalCalls() {
  LocalCalls calls;
  calls.status = [this] { return LocalStatus(); };
  calls.begin_unlock = [this](const v1::BeginUnlockRequest& request, auto done) {
    boost::asio::post(loop_, [this, request, done = std::move(done)] {
      stopping_ ? done(Stopping()) : done(unlocker_->Begin(request.level(), request.length_nanos()));
    });
  };
  calls.answer_unlock = [this](const v1::AnswerUnlockRequest& request, auto done) {
    boost::asio::post(loop_, [this, request, done = std::move(done)] {
      stopping_ ? done(Stopping()) : done(unlocker_->Answer(request.code()));
    });
  };
  return calls;
}

void Agent::RequestStop() {
  boost::asio::post(loop_, [this] {
    if (std::exchange(stopping_, true)) return;
    platform::NotifyServiceStopping();
    desk_->Stop();
    spdlog::info("agent: stopping; isolation stays in force ({})",
                 v1::Level_Name(receipts_.Get().enforced_level()));
    StopWatching();
  });
}

// First what makes events, then one more moment for them to leave, then the link. Runs on the loop; waiting
// here holds nothing up that is still needed, but for the parts' proofs, which end by their own time-outs.
void Agent::StopWatching() {
  lease_tick_.reset();
  steady_receipt_.reset();
  tidy_.reset();
  link_watcher_->Stop();
  ruleset_watcher_->Stop();
  inbound_probe_.Stop();
  channel_probe_.Stop();
  stopper_ = std::thread([this] {  // beside the loop: proofs and flushes wait for it
    health_->Stop();
    scans_->Stop();
    WaitForLoop();  // the last progress has become an outcome
    const int64_t watched_until = clock_->WallNanos();
    files_->Stop();
    if (flows_) flows_->Stop();
    processes_->Stop();
    EmitNotWatching(*events_, *clock_, watched_until, "the sensors were stopping");
    EmitLifecycle(*events_, *clock_, v1::AgentLifecycle::STATE_STOPPING, "", facts_.boot_id);
    flushed_ = events_->Stop(kFlushTimeout);
    boost::asio::post(loop_, [this] {
      StopLinkWhenSent(clock_->BootNanos() + std::chrono::nanoseconds(kLastWords).count());
    });
  });
}

void Agent::WaitForLoop() {
  std::promise<void> reached;
  boost::asio::post(loop_, [&reached] { reached.set_value(); });
  reached.get_future().wait();
}

void Agent::StopLinkWhenSent(int64_t deadline_boot_nanos) {
  constexpr std::chrono::milliseconds kLook(20);
  const SpoolStats spool = spool_->Stats();
  const bool sent = spool.acknowledged_sequence == spool.last_sequence;
  if (sent || !link_->Status().connected || clock_->BootNanos() > deadline_boot_nanos) {
    link_->Stop([this] { StopAnswering(); });
    return;
  }
  const auto timer = std::make_shared<boost::asio::steady_timer>(loop_, kLook);
  timer->async_wait([this, timer, deadline_boot_nanos](const boost::system::error_code&) {
    StopLinkWhenSent(deadline_boot_nanos);
  });
}

// Proofs that are under way may still need the loop: it runs until they have ended.
void Agent::StopAnswering() {
  stopper_.join();
  stopper_ = std::thread([this] {
    local_.reset();
    health_.reset();
    boost::asio::post(loop_, [this] { work_.reset(); });
  });
}

absl::Status Agent::Finish() {
  stopper_.join();
  return Annotate(flushed_, "events of the last moments may be lost, which the next start will report");
}

}  // namespace cordon::agent
