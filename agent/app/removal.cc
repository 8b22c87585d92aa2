#include "agent/app/removal.h"

#include <spdlog/spdlog.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <utility>

#include "agent/app/host_facts.h"
#include "agent/app/instance_lock.h"
#include "agent/app/lifecycle.h"
#include "agent/app/log_sink.h"
#include "agent/app/version.h"
#include "agent/integrity/canary_files.h"
#include "agent/isolation/isolation.h"
#include "agent/isolation/isolation_lock.h"
#include "agent/isolation/state.h"
#include "agent/isolation/state_file.h"
#include "agent/link/link.h"
#include "agent/link/unlock_key.h"
#include "agent/names/kept_names.h"
#include "agent/spool/spool.h"
#include "agent/telemetry/batcher.h"
#include "agent/telemetry/telemetry_sender.h"
#include "common/base/status.h"
#include "common/wire/json.h"
#include "platform/api/connections.h"
#include "platform/api/dns_client.h"
#include "platform/api/files.h"
#include "platform/api/leak_counter.h"
#include "platform/api/packet_filter.h"
#include "platform/api/program_marks.h"
#include "platform/api/system.h"

namespace cordon::agent {
namespace {

constexpr std::chrono::seconds kKeeperPatience(5);
constexpr std::chrono::seconds kFlushPatience(5);
constexpr std::chrono::seconds kSendPatience(5);

// Says who this is and what is enforced; whatever a controller wants is too late.
class LastWords final : public LinkHandler {
 public:
  explicit LastWords(Isolation& isolation) : isolation_(isolation) {}

  v1::Hello MakeHello() override {
    v1::Hello hello;
    *hello.mutable_receipt() = isolation_.ReadReceipt();
    hello.mutable_health()->set_agent_version(kVersion);
    *hello.add_lanes() = isolation_.Lane();
    return hello;
  }
  v1::Heartbeat MakeHeartbeat() override { return {}; }
  void OnOrder(const v1::SignedOrder& /*order*/, const v1::AuditProof& /*audit*/) override {}
  void OnHealthPoll(const v1::HealthPoll& /*poll*/) override {}
  void OnRehearsal(const v1::RehearsalRequest& /*request*/) override {}
  void OnControllerEndpoints(const std::vector<Endpoint>& endpoints) override {
    isolation_.SetControllers(endpoints);
  }
  void OnCertificateRenewed(int64_t /*not_after_unix_nanos*/) override {}

 private:
  Isolation& isolation_;
};

// What the removal needs of the agent's parts, in the order in which it is made.
class Removal {
 public:
  Removal(const AgentConfig& config, bool release)
      : config_(config),
        release_(release),
        facts_(platform::ReadSystemFacts()),
        clock_(platform::MakeSystemClock()),
        filter_(platform::MakePacketFilter()),
        connections_(platform::MakeConnectionTable()),
        marks_(platform::MakeProgramMarks()),
        leaks_(platform::MakeLeakCounter()),
        names_(MakeKeptNames(config_.state_dir / kGuardPortFile)) {}

  absl::StatusOr<std::string> Run() {
    CORDON_ASSIGN_OR_RETURN(const auto agent_lock, LockState(config_.state_dir));
    CORDON_ASSIGN_OR_RETURN(const auto keeper_lock, LockIsolation(config_.state_dir, kKeeperPatience));
    // Again, now that nobody else can isolate it.
    const absl::Status free = CheckNotIsolated(config_);
    if (!free.ok() && !release_) return free;
    const absl::Status recorded = OpenSpool();
    EventSink& events = recorded.ok() ? static_cast<EventSink&>(*batcher_) : log_;
    MakeIsolation(events);
    if (!free.ok()) CORDON_RETURN_IF_ERROR(Release());
    std::string what =
        !free.ok() ? "the host was isolated and has been released" : "the host was not isolated";
    const absl::Status removed = CanaryFiles(config_.state_dir / kCanaryList).Remove();
    if (!removed.ok()) StrAppend(&what, "; canary files that stay: ", Message(removed));
    if (const auto client = platform::MakeDnsClient(); client != nullptr) {
      const absl::Status turned = client->TurnBack();
      if (!turned.ok()) StrAppend(&what, "; ", Message(turned));
    }
    EmitLifecycle(events, *clock_, v1::AgentLifecycle::STATE_REMOVED, what, facts_.boot_id);
    if (!recorded.ok()) return StrCat(what, "; this could not be recorded: ", Message(recorded));
    CORDON_RETURN_IF_ERROR(Annotate(batcher_->Flush(kFlushPatience), "what was done is not recorded"));
    const bool sent = Send();
    CORDON_RETURN_IF_ERROR(batcher_->Stop(kFlushPatience));
    return StrCat(what, sent ? "; a controller knows it" : "; no controller was reached, it is in agent.db");
  }

 private:
  absl::Status OpenSpool() {
    CORDON_ASSIGN_OR_RETURN(host_, LoadHostState(config_.state_dir));
    SpoolSettings settings;
    settings.file = config_.state_dir / "agent.db";
    settings.host_id = host_.identity.host_id;
    settings.limit_bytes = config_.spool_max_bytes;
    settings.limit_age_nanos = config_.spool_max_age_nanos;
    CORDON_ASSIGN_OR_RETURN(spool_, Spool::Open(settings, *clock_));
    batcher_ = std::make_unique<Batcher>(*spool_, *clock_, BatcherSettings(), [this] {
      boost::asio::post(loop_, [this] {
        if (sender_) sender_->OnNewBatches();
      });
    });
    sender_ = std::make_unique<TelemetrySender>(*spool_, *clock_, TelemetrySender::Window(),
                                                [this] { batcher_->WakeForMaintenance(); });
    return absl::OkStatus();
  }

  void MakeIsolation(EventSink& events) {
    isolation_ = std::make_unique<Isolation>(
        IsolationParts{.filter = filter_.get(),
                       .connections = connections_.get(),
                       .clock = clock_.get(),
                       .events = &events,
                       .escape = nullptr,
                       .channel = nullptr,
                       .marks = marks_.get(),
                       .names = names_.get(),
                       .leaks = leaks_.get()},
        IsolationOptions{.state_file = config_.state_dir / kIsolationStateFile, .boot_id = facts_.boot_id});
  }

  absl::Status Release() {
    const absl::Status restored = isolation_->Restore();  // what was in force is in the record, damage too
    if (!restored.ok()) spdlog::warn("{}", Message(restored));
    return Annotate(isolation_->ReleaseLocally().status(), "the host cannot be released");
  }

  // True when a controller has acknowledged everything.
  bool Send() {
    LastWords words(*isolation_);
    v1::HostFacts facts = MakeHostFacts(facts_, config_);
    if (const auto key = LoadOrMakeUnlockKey(config_.state_dir); key.ok())
      facts.set_unlock_public_key(key->public_key);
    Link link({loop_, *clock_, words, *sender_, config_.state_dir, std::move(facts), facts_.boot_id}, host_,
              LinkSettings());
    if (!link.Start().ok()) return false;
    Wait(link, clock_->BootNanos() + std::chrono::nanoseconds(kSendPatience).count());
    loop_.run();
    return AllSent();
  }
  bool AllSent() const { return spool_->Stats().acknowledged_sequence == spool_->Stats().last_sequence; }

  void Wait(Link& link, int64_t deadline_boot_nanos) {
    constexpr std::chrono::milliseconds kLook(50);
    if (AllSent() || clock_->BootNanos() > deadline_boot_nanos) {
      link.Stop([this] { loop_.stop(); });
      return;
    }
    const auto timer = std::make_shared<boost::asio::steady_timer>(loop_, kLook);
    timer->async_wait([this, timer, &link, deadline_boot_nanos](const boost::system::error_code&) {
      Wait(link, deadline_boot_nanos);
    });
  }

  const AgentConfig& config_;
  const bool release_;
  const platform::SystemFacts facts_;
  const std::unique_ptr<Clock> clock_;
  const std::unique_ptr<platform::PacketFilter> filter_;
  const std::unique_ptr<platform::ConnectionTable> connections_;
  const std::unique_ptr<platform::ProgramMarks> marks_;
  const std::unique_ptr<platform::LeakCounter> leaks_;
  const std::unique_ptr<Names> names_;
  boost::asio::io_context loop_;
  LogSink log_;
  HostState host_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<TelemetrySender> sender_;
  std::unique_ptr<Batcher> batcher_;
  std::unique_ptr<Isolation> isolation_;
};

absl::Status Isolated(const std::string& how) {
  return absl::FailedPreconditionError(
      StrCat("this host is isolated (", how,
             "); without the agent nobody could release it. Release it first (cordonctl "
             "release), or let the removal release and record it: --release"));
}

}  // namespace

absl::Status CheckNotIsolated(const AgentConfig& config) {
  const absl::StatusOr<v1::IsolationState> state = LoadState(config.state_dir / kIsolationStateFile);
  if (!absl::IsNotFound(state.status())) {
    if (!state.ok()) return Isolated(StrCat("its state cannot be read: ", Message(state.status())));
    if (const v1::Level level = LevelWithoutUnlock(*state); level > v1::LEVEL_OBSERVE)
      return Isolated(WordOf(level));
  }
  const auto readback = platform::MakePacketFilter()->ReadBack({});
  if (absl::IsUnimplemented(readback.status())) return absl::OkStatus();
  CORDON_RETURN_IF_ERROR(Annotate(readback.status(), "whether this host is isolated cannot be told"));
  return readback->absent ? absl::OkStatus() : Isolated("rules of Cordon stand in the kernel");
}

absl::StatusOr<std::string> RemoveAgent(const AgentConfig& config, bool release) {
  if (!release) CORDON_RETURN_IF_ERROR(CheckNotIsolated(config));
  return Removal(config, release).Run();
}

}  // namespace cordon::agent
