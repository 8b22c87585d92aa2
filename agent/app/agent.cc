#include "agent/app/agent.h"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "agent/app/commands.h"
#include "agent/app/host_facts.h"
#include "agent/app/host_names.h"
#include "agent/app/instance_lock.h"
#include "agent/app/lifecycle.h"
#include "agent/app/log_sink.h"
#include "agent/app/version.h"
#include "agent/integrity/policy.h"
#include "agent/isolation/isolation_lock.h"
#include "agent/isolation/state_file.h"
#include "common/base/status.h"

namespace cordon::agent {

namespace {

constexpr const char* kAgentDatabase = "agent.db";
constexpr const char* kFlowsDatabase = "flows.db";
constexpr const char* kBaselineDatabase = "baseline.db";
constexpr const char* kUnlockState = "unlock.state";
constexpr std::chrono::seconds kKeeperPatience(5);
constexpr std::chrono::seconds kScanFlushTimeout(10);
constexpr std::chrono::seconds kLastWordPatience(2);

}  // namespace

Agent::Agent(const AgentConfig& config, const AgentPace& pace)
    : config_(config),
      pace_(pace),
      facts_(platform::ReadSystemFacts()),
      clock_(platform::MakeSystemClock()),
      started_boot_nanos_(clock_->BootNanos()),
      started_unix_nanos_(clock_->WallNanos()),
      work_(boost::asio::make_work_guard(loop_)),
      hold_(config_.state_dir / kBootHoldFile, facts_.boot_id, *clock_),
      inbound_probe_(loop_) {}

absl::StatusOr<std::unique_ptr<Agent>> Agent::Make(const AgentConfig& config, const AgentPace& pace) {
  std::unique_ptr<Agent> agent(new Agent(config, pace));
  CORDON_RETURN_IF_ERROR(agent->Construct());
  return agent;
}

absl::Status Agent::Construct() {
  CORDON_ASSIGN_OR_RETURN(lock_, LockState(config_.state_dir));
  if (const size_t swept = platform::SweepUnfinishedFiles(config_.state_dir); swept > 0)
    spdlog::info("{} files that an agent had not finished are removed", swept);
  if (const absl::Status opened = OpenStores(); !opened.ok()) {
    // ISO-5: whatever is wrong with the rest, after a reboot the rules stand again.
    LogSink log;
    std::error_code unsure;  // whether it is there: then it is tried
    if (std::filesystem::exists(config_.state_dir / kIsolationStateFile, unsure) || unsure)
      RestoreIsolation(log);
    isolation_.reset();
    return opened;
  }
  RestoreIsolation(*events_);
  CORDON_RETURN_IF_ERROR(MakeSensorsAndScans());
  MakeFlows();
  CORDON_RETURN_IF_ERROR(MakeOrders());
  MakeUnlocker();
  MakeLinkAndHealth();
  return absl::OkStatus();
}

absl::Status Agent::OpenStores() {
  CORDON_ASSIGN_OR_RETURN(host_, LoadHostState(config_.state_dir));
  spdlog::info("this host's key is protected by {}", host_.key_protection);
  trust_.emplace(config_.state_dir, host_.trust);
  Notice(trust_->InForce().status());
  witness_.emplace(config_.state_dir);
  if (!witness_->Notice().empty()) notices_.push_back(witness_->Notice());
  SpoolSettings settings;
  settings.file = config_.state_dir / kAgentDatabase;
  settings.host_id = host_.identity.host_id;
  settings.limit_bytes = config_.spool_max_bytes;
  settings.limit_age_nanos = config_.spool_max_age_nanos;
  CORDON_ASSIGN_OR_RETURN(spool_, Spool::Open(settings, *clock_));
  events_ = std::make_unique<Batcher>(*spool_, *clock_, BatcherSettings(), [this] {
    boost::asio::post(loop_, [this] { sender_->OnNewBatches(); });
  });
  sender_ = std::make_unique<TelemetrySender>(*spool_, *clock_, TelemetrySender::Window(),
                                              [this] { events_->WakeForMaintenance(); });
  if (!spool_->SetAsideNotice().empty()) {
    notices_.push_back(spool_->SetAsideNotice());
    EmitLifecycle(*events_, *clock_, v1::AgentLifecycle::STATE_DATABASE_SET_ASIDE, spool_->SetAsideNotice());
  }
  EmitLifecycle(*events_, *clock_, v1::AgentLifecycle::STATE_STARTED, "", facts_.boot_id);
  return absl::OkStatus();
}

void Agent::RestoreIsolation(EventSink& events) {
  // From the keeper, for the life of this process. Without it the agent goes on and tries again every second
  // (LockIsolationLate): the keeper saves nothing over what it has not read.
  absl::StatusOr<std::unique_ptr<platform::FileLock>> lock =
      LockIsolation(config_.state_dir, kKeeperPatience);
  Notice(Annotate(lock.status(), "isolation"));
  if (lock.ok()) isolation_lock_ = *std::move(lock);
  filter_ = platform::MakePacketFilter();
  connections_ = platform::MakeConnectionTable();
  escape_probe_ = MakeEscapeProbe();
  program_marks_ = platform::MakeProgramMarks();
  dns_client_ = platform::MakeDnsClient();
  names_ = MakeHostNames(loop_, *clock_, *connections_, config_, host_.controllers, dns_client_.get());
  bypasses_ = platform::MakeBypassScanner();
  link_watcher_ = platform::MakeLinkWatcher();
  leaks_ = platform::MakeLeakCounter();
  signer_ = std::make_unique<HostReceiptSigner>(host_.identity.host_id);
  Notice(signer_->Use(host_.credentials.key_pem));
  isolation_ =
      std::make_unique<Isolation>(IsolationParts{.filter = filter_.get(),
                                                 .connections = connections_.get(),
                                                 .clock = clock_.get(),
                                                 .events = &events,
                                                 .escape = escape_probe_.get(),
                                                 .channel = &channel_probe_,
                                                 .marks = program_marks_.get(),
                                                 .names = names_.get(),
                                                 .inbound = &inbound_probe_,
                                                 .bypasses = bypasses_.get(),
                                                 .links = link_watcher_.get(),
                                                 .leaks = leaks_.get(),
                                                 .signer = signer_.get()},
                                  IsolationOptions{.state_file = config_.state_dir / kIsolationStateFile,
                                                   .boot_id = facts_.boot_id,
                                                   .hold = hold_.Begin()});
  users_ = std::make_unique<UserTeller>(config_.state_dir / "told", ShowToUsers);
  isolation_->OnReceipt([this](const v1::Receipt& receipt) {
    receipts_.Set(receipt);
    users_->OnReceipt(receipt, isolation_->LevelMeant());
    if (link_) link_->SendReceipt(receipt);
  });
  // ISO-5: an agent that cannot restore goes on, and says so: what stands in the kernel is kept.
  Notice(Annotate(isolation_->Restore(), "isolation"));
  receipts_.Set(isolation_->ReadReceipt());
  isolation_part_ = std::make_unique<IsolationPart>(isolation_.get(), loop_.get_executor(), clock_.get());
  ruleset_watcher_ = platform::MakeRulesetWatcher();
  ruleset_mailbox_ =
      std::make_unique<RulesetMailbox>(loop_, [this](std::vector<platform::RulesetChange> changes) {
        isolation_->OnRulesChanged(std::move(changes));
      });
}

void Agent::LockIsolationLate() {
  if (isolation_lock_) return;
  absl::StatusOr<std::unique_ptr<platform::FileLock>> lock =
      LockIsolation(config_.state_dir, std::chrono::milliseconds(0));
  if (!lock.ok()) return;  // said at the start
  isolation_lock_ = *std::move(lock);
  spdlog::info("isolation: the keeper has let go of this host");
  isolation_->TakeOver();
}

absl::Status Agent::MakeSensorsAndScans() {
  process_source_ = config_.process_source == "auto" ? platform::MakeProcessSource()
                                                     : platform::MakeProcessSource(config_.process_source);
  if (!process_source_) {
    return absl::InvalidArgumentError(StrCat("process.source: this system has no ", config_.process_source));
  }
  processes_ = std::make_unique<ProcessSensor>(*process_source_, *events_, *clock_, host_.identity.host_id,
                                               facts_.boot_id, static_cast<uint32_t>(config_.fold_bursts));
  isolation_->Know(processes_.get());
  MakeSelfIsolator();
  files_ = std::make_unique<FileSensor>(
      FileSensorConfig{.state_folder = config_.state_dir}, platform::MakeFileSource, *clock_, *processes_,
      *events_, [this](const v1::Finding& finding, const v1::SelfIsolation& allowed) {
        boost::asio::post(loop_, [this, finding, allowed] { IsolateByItself(finding, allowed); });
      });
  return MakeScans();
}

absl::Status Agent::MakeScans() {
  ScanParts parts{.clock = *clock_,
                  .sink = *events_,
                  .processes = processes_.get(),
                  .flush_events = [this] { return events_->Flush(kScanFlushTimeout); },
                  .default_paths = [this] { return files_->CurrentPolicy().roots; },
                  .on_progress = [this](const v1::ScanProgress& progress) { OnScanProgress(progress); },
                  .on_refused =
                      [this](const std::string& order_id, const absl::Status& why) {
                        boost::asio::post(loop_, [this, order_id, text = std::string(Message(why))] {
                          gate_->OnScanRefused(order_id, text);
                        });
                      }};
  CORDON_ASSIGN_OR_RETURN(scans_,
                          ScanRunner::Open({.database = config_.state_dir / kBaselineDatabase,
                                            .excluded = {config_.state_dir},
                                            .host_id = host_.identity.host_id,
                                            .scanner = {.program = {}, .arguments = {kScannerCommand}}},
                                           std::move(parts)));
  if (!scans_->SetAsideNotice().empty()) notices_.push_back(scans_->SetAsideNotice());
  return absl::OkStatus();
}

void Agent::MakeSelfIsolator() {
  self_isolator_ = std::make_unique<SelfIsolator>(
      SelfIsolator::Parts{.clock = *clock_,
                          .take = [this](const v1::SelfIsolation& allowed,
                                         const std::string& cause) { return TakeByItself(allowed, cause); },
                          .lane = [this] { return isolation_->Lane(); },
                          .on_failure = [this](const std::string& what) { TellNotIsolated(what); }});
}

// What the policy allows, signed in advance.
void Agent::IsolateByItself(const v1::Finding& finding, const v1::SelfIsolation& allowed) {
  if (stopping_) return;  // the finding is told
  const std::string cause = StrCat("tripwire: ", finding.detail(), ", by ", finding.executable(), " (pid ",
                                   finding.pid(), "); by the policy, without an order");
  self_isolator_->Begin(allowed, cause);
}

absl::Status Agent::TakeByItself(const v1::SelfIsolation& allowed, const std::string& cause) {
  users_->ExpectByItself(isolation_->Lane().order_id(), allowed.level(), allowed.user_message());
  absl::Status taken = isolation_->TakeByItself(allowed, cause).status();
  if (!taken.ok()) users_->ExpectByItself("", v1::LEVEL_UNSPECIFIED, "");
  return taken;
}

// As health is: nobody else would say it.
void Agent::TellNotIsolated(const std::string& what) {
  spdlog::error("isolation: {}", what);
  v1::Event event;
  event.mutable_part_changed()->set_part("cordon.isolation");
  event.mutable_part_changed()->set_serving(false);
  event.mutable_part_changed()->set_reason(what);
  events_->Emit(v1::EVENT_CLASS_CONTROL, clock_->WallNanos(), std::move(event));
}

// A report is signed on the loop, which may be taking another key of the host at this moment.
void Agent::OnScanProgress(const v1::ScanProgress& progress) {
  if (progress.report().empty()) return link_->SendProgress(progress);
  boost::asio::post(loop_, [this, progress = v1::ScanProgress(progress)]() mutable {
    if (const absl::Status signed_report = signer_->Sign(&progress); !signed_report.ok()) {
      spdlog::error("the scan's report is not signed: {}", Message(signed_report));
    }
    gate_->OnScanProgress(std::move(progress));
  });
}

void Agent::MakeFlows() {
  if (!config_.flows_enabled) return;
  constexpr int64_t kDayNanos = 86'400 * kNanosPerSecond;
  absl::StatusOr<FlowHistory> history = FlowHistory::Open(
      {.file = config_.state_dir / kFlowsDatabase, .kept_nanos = config_.flows_days * kDayNanos},
      clock_->WallNanos());
  Notice(Annotate(history.status(), "no history of flows"));
  if (history.ok() && !history->SetAsideNotice().empty()) notices_.push_back(history->SetAsideNotice());
  flow_source_ = platform::MakeFlowSource();
  dns_observer_ = platform::MakeDnsObserver();
  flows_ = std::make_unique<FlowRecorder>(
      FlowRecorder::Parts{.source = *flow_source_,
                          .processes = *processes_,
                          .clock = *clock_,
                          .dns = *dns_observer_,
                          .events = config_.flows_tell ? events_.get() : nullptr},
      std::move(history));
}

absl::Status Agent::MakeOrders() {
  CORDON_ASSIGN_OR_RETURN(lanes_, LaneStore::Open(config_.state_dir / kAgentDatabase, *clock_));
  actions_ = std::make_unique<OrderActions>(*isolation_, *users_, *scans_, *files_, DefaultWatchPolicy());
  const HostTraits self{.host_id = host_.identity.host_id,
                        .name = MakeHostFacts(facts_, config_).host_name(),
                        .site = host_.identity.site,
                        .labels = host_.identity.labels};
  gate_ = std::make_unique<OrderGate>(
      self, *trust_, *witness_,
      OrderGate::Parts{*clock_, *events_, *lanes_, *actions_,
                       [this](const v1::OrderOutcome& outcome) { link_->SendOutcome(outcome); },
                       [this] { link_->UseAuthorities(trust_->Authorities(host_.enrollment_ca_pem)); },
                       [this](const v1::OrderOutcome& outcome, std::function<void()> then) {
                         SayLastWord(outcome, std::move(then));
                       }});
  return absl::OkStatus();
}

// An agent that is stopping leaves the order to the next start, whose Hello has it sent again.
void Agent::SayLastWord(const v1::OrderOutcome& outcome, std::function<void()> then) {
  link_->Deliver(outcome, kLastWordPatience, [this, then = std::move(then)](bool delivered) {
    if (stopping_) return;
    if (!delivered) spdlog::warn("isolation: the host goes dark, and the controller may not have heard it");
    then();
  });
}

// AUT-5. Without a key the host cannot be unlocked by phone, and all else goes on.
void Agent::MakeUnlocker() {
  UnlockSelf self{.fleet_id = host_.identity.fleet_id,
                  .host_id = host_.identity.host_id,
                  .host_name = MakeHostFacts(facts_, config_).host_name()};
  absl::StatusOr<UnlockKey> key = LoadOrMakeUnlockKey(config_.state_dir);
  Notice(Annotate(key.status(), "this host cannot be unlocked by phone"));
  if (key.ok()) {
    if (!key->notice.empty()) notices_.push_back(key->notice);
    unlock_public_key_ = key->public_key;
    self.public_key = key->public_key;
    self.key = std::move(key->key);
  } else {
    self.key_problem = std::string(Message(key.status()));
  }
  unlocker_ = std::make_unique<Unlocker>(
      std::move(self),
      Unlocker::Parts{*clock_, *events_, *isolation_,
                      [this] { return trust_->InForce().value_or(v1::TrustBundle()); }},
      Unlocker::Settings{.state_file = config_.state_dir / kUnlockState, .boot_id = facts_.boot_id});
  if (!unlocker_->Notice().empty()) notices_.push_back(unlocker_->Notice());
}

v1::HostFacts Agent::OwnFacts() const {
  v1::HostFacts facts = MakeHostFacts(facts_, config_);
  facts.set_unlock_public_key(unlock_public_key_);
  return facts;
}

void Agent::MakeLinkAndHealth() {
  desk_ = std::make_unique<ControllerDesk>(ControllerDesk::Parts{*clock_, *events_, *spool_, *isolation_,
                                                                 receipts_, *gate_, *signer_, inbound_probe_,
                                                                 config_.state_dir});
  LinkSettings settings;
  settings.own_lookup = [this](const std::string& name, Resolver::Done done) {
    names_->LookUpController(name, std::move(done));
  };
  link_ = std::make_unique<Link>(
      Link::Parts{loop_, *clock_, *desk_, *sender_, config_.state_dir, OwnFacts(), facts_.boot_id}, host_,
      std::move(settings));
  boot_question_ = std::make_unique<BootQuestion>(hold_, *isolation_, *link_, config_.boot_hold_nanos);
  inbound_probe_.Use(link_.get());
  obstructions_ = platform::MakeObstructionFinder();
  path_ = std::make_unique<PathPart>(obstructions_.get(), clock_.get(), NamesOf(host_.controllers),
                                     [this] { return link_->Status().connected; });
  rehearser_ = std::make_unique<Rehearser>(Rehearser::Parts{
      .clock = *clock_, .connections = platform::MakeConnectionTable(), .memory = flows_.get()});
  std::vector<HealthPart*> parts = {link_.get(),  path_.get(),  isolation_part_.get(), processes_.get(),
                                    files_.get(), scans_.get(), events_.get()};
  if (flows_) parts.push_back(flows_.get());
  health_ = std::make_unique<HealthBoard>(
      HealthBoard::Parts{
          .clock = *clock_,
          .events = *events_,
          .parts = std::move(parts),
          .publish = [this](const std::string& part, bool serving) { local_->SetServing(part, serving); },
          .complete = [this](v1::HealthReport* report) { CompleteReport(report); },
          .agent_version = kVersion},
      HealthSettings());
  desk_->Use(health_.get(), link_.get(), path_.get(), rehearser_.get());
}

v1::Policy Agent::DefaultWatchPolicy() const {
  if (config_.watched_paths.empty()) return DefaultPolicy();
  v1::Policy policy;
  for (const std::string& path : config_.watched_paths) policy.add_watched_paths(path);
  for (const std::string& path : config_.excluded_paths) policy.add_excluded_paths(path);
  return policy;
}

void Agent::CompleteReport(v1::HealthReport* report) const {
  const SpoolStats spool = spool_->Stats();
  *report->mutable_spool() = ToHealth(spool);
  report->mutable_losses()->set_kernel_buffer(processes_->Lost() + files_->LostEvents());
  report->mutable_losses()->set_spool_dropped_events(spool.dropped_events);
  report->mutable_losses()->set_queue_full(events_->QueueFullLosses());
  const platform::OwnResourceUse use = platform::ReadOwnResourceUse();
  report->mutable_resources()->set_resident_bytes(use.resident_bytes);
  report->mutable_resources()->set_cpu_nanos(use.cpu_nanos);
  report->mutable_resources()->set_uptime_nanos(clock_->BootNanos() - started_boot_nanos_);
  *report->mutable_receipt() = receipts_.Get();
  report->set_boot_id(facts_.boot_id);
  report->set_certificate_not_after_unix_nanos(link_->Status().certificate_not_after_unix_nanos);
  for (const std::string& notice : notices_) report->add_notices(notice);
}

void Agent::Notice(const absl::Status& status) {
  if (status.ok()) return;
  spdlog::error("{}", Message(status));
  notices_.emplace_back(Message(status));
}

}  // namespace cordon::agent
