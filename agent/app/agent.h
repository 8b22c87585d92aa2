#pragma once

#include <absl/status/statusor.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/app/boot_question.h"
#include "agent/app/config.h"
#include "agent/app/controller_desk.h"
#include "agent/app/every.h"
#include "agent/app/host_receipt_signer.h"
#include "agent/app/link_channel_probe.h"
#include "agent/app/link_inbound_probe.h"
#include "agent/app/order_actions.h"
#include "agent/app/path_part.h"
#include "agent/app/receipt_box.h"
#include "agent/app/ruleset_mailbox.h"
#include "agent/app/user_teller.h"
#include "agent/flows/flow_recorder.h"
#include "agent/health/health_board.h"
#include "agent/integrity/file_sensor.h"
#include "agent/isolation/isolation.h"
#include "agent/isolation/isolation_part.h"
#include "agent/isolation/self_isolator.h"
#include "agent/link/link.h"
#include "agent/link/local_server.h"
#include "agent/link/unlock_key.h"
#include "agent/names/names.h"
#include "agent/orders/audit_witness.h"
#include "agent/orders/lane_store.h"
#include "agent/orders/order_gate.h"
#include "agent/orders/trust_chain.h"
#include "agent/process/process_sensor.h"
#include "agent/rehearsal/rehearser.h"
#include "agent/scan/scan_runner.h"
#include "agent/spool/spool.h"
#include "agent/telemetry/batcher.h"
#include "agent/telemetry/telemetry_sender.h"
#include "agent/unlock/unlocker.h"
#include "common/base/clock.h"
#include "platform/api/bypass_scanner.h"
#include "platform/api/connections.h"
#include "platform/api/dns_client.h"
#include "platform/api/dns_observer.h"
#include "platform/api/files.h"
#include "platform/api/flow_source.h"
#include "platform/api/leak_counter.h"
#include "platform/api/link_watcher.h"
#include "platform/api/obstruction_finder.h"
#include "platform/api/packet_filter.h"
#include "platform/api/process_source.h"
#include "platform/api/program_marks.h"
#include "platform/api/ruleset_watcher.h"
#include "platform/api/system.h"

namespace cordon::agent {

// How often the agent does what nobody asked for.
struct AgentPace {
  std::chrono::nanoseconds receipt = std::chrono::hours(1);  // sent without a change
};

// The whole agent: what exists, in the order in which it is made; each member uses only those above it. Made,
// run and destroyed on one thread, which is the agent loop while Run runs.
class Agent {
 public:
  // Everything but the threads that watch. Restores isolation before anything speaks to the network (ISO-5);
  // when another part cannot be made, isolation stays restored and the error says what to do.
  static absl::StatusOr<std::unique_ptr<Agent>> Make(const AgentConfig& config, const AgentPace& pace = {});

  // Start → serve → stop. Returns when RequestStop was called, everything seen is on disk and nothing runs
  // any more; isolation stays as it is.
  absl::Status Run();

  // Thread-safe.
  void RequestStop();

 private:
  Agent(const AgentConfig& config, const AgentPace& pace);

  absl::Status Construct();
  absl::Status OpenStores();
  void RestoreIsolation(EventSink& events);
  void LockIsolationLate();
  absl::Status MakeSensorsAndScans();
  void MakeSelfIsolator();
  void IsolateByItself(const v1::Finding& finding, const v1::SelfIsolation& allowed);
  absl::Status TakeByItself(const v1::SelfIsolation& allowed, const std::string& cause);
  void TellNotIsolated(const std::string& what);
  absl::Status MakeScans();
  void MakeFlows();
  absl::Status MakeOrders();
  void SayLastWord(const v1::OrderOutcome& outcome, std::function<void()> then);
  void MakeUnlocker();
  void MakeLinkAndHealth();

  absl::Status Start();
  void StartSensors();
  void StopWatching();
  void WaitForLoop();
  void StopLinkWhenSent(int64_t deadline_boot_nanos);
  void StopAnswering();
  absl::Status Finish();

  v1::Policy DefaultWatchPolicy() const;
  void OnScanProgress(const v1::ScanProgress& progress);
  v1::Policy PolicyInForce();
  void SendReceiptNow();
  void CompleteReport(v1::HealthReport* report) const;
  v1::GetStatusResponse LocalStatus();
  LocalCalls MakeLocalCalls();
  v1::HostFacts OwnFacts() const;
  void Notice(const absl::Status& status);

  const AgentConfig config_;
  const AgentPace pace_;
  const platform::SystemFacts facts_;
  const std::unique_ptr<Clock> clock_;
  const int64_t started_boot_nanos_;
  const int64_t started_unix_nanos_;
  std::vector<std::string> notices_;  // complete before other threads run
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::unique_ptr<platform::FileLock> lock_;
  HostState host_;
  std::optional<TrustChain> trust_;
  std::optional<AuditWitness> witness_;

  // Evidence: what was seen, kept until a controller has it.
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<TelemetrySender> sender_;
  std::unique_ptr<Batcher> events_;

  // Isolation.
  std::unique_ptr<platform::FileLock> isolation_lock_;
  BootHold hold_;
  std::unique_ptr<platform::PacketFilter> filter_;
  std::unique_ptr<platform::ConnectionTable> connections_;
  std::unique_ptr<EscapeProbe> escape_probe_;
  std::unique_ptr<platform::ProgramMarks> program_marks_;
  LinkChannelProbe channel_probe_;
  LinkInboundProbe inbound_probe_;
  std::unique_ptr<platform::BypassScanner> bypasses_;
  std::unique_ptr<platform::LeakCounter> leaks_;
  ReceiptBox receipts_;
  std::unique_ptr<HostReceiptSigner> signer_;
  std::unique_ptr<platform::DnsClient> dns_client_;
  std::unique_ptr<Names> names_;
  std::unique_ptr<platform::LinkWatcher> link_watcher_;
  std::unique_ptr<Isolation> isolation_;
  std::unique_ptr<UserTeller> users_;
  std::unique_ptr<SelfIsolator> self_isolator_;
  std::unique_ptr<IsolationPart> isolation_part_;
  std::unique_ptr<platform::RulesetWatcher> ruleset_watcher_;
  std::unique_ptr<RulesetMailbox> ruleset_mailbox_;

  // Sensors and scans.
  std::unique_ptr<platform::ProcessSource> process_source_;
  std::unique_ptr<ProcessSensor> processes_;
  std::unique_ptr<FileSensor> files_;
  std::unique_ptr<ScanRunner> scans_;

  // Flows, for events and rehearsals; nothing when the settings say no.
  std::unique_ptr<platform::FlowSource> flow_source_;
  std::unique_ptr<platform::DnsObserver> dns_observer_;
  std::unique_ptr<FlowRecorder> flows_;

  // Orders.
  std::unique_ptr<LaneStore> lanes_;
  std::unique_ptr<OrderActions> actions_;
  std::unique_ptr<OrderGate> gate_;

  // By phone.
  std::string unlock_public_key_;
  std::unique_ptr<Unlocker> unlocker_;

  // The link, and the health that it and the local socket tell.
  std::unique_ptr<ControllerDesk> desk_;
  std::unique_ptr<Link> link_;
  std::unique_ptr<BootQuestion> boot_question_;
  std::unique_ptr<platform::ObstructionFinder> obstructions_;
  std::unique_ptr<PathPart> path_;
  std::unique_ptr<Rehearser> rehearser_;
  std::unique_ptr<HealthBoard> health_;
  std::unique_ptr<LocalServer> local_;

  std::optional<Every> lease_tick_;
  std::optional<Every> steady_receipt_;
  std::optional<Every> tidy_;
  bool stopping_ = false;
  std::thread stopper_;   // while stopping: waits where the loop must not
  absl::Status flushed_;  // its result
};

}  // namespace cordon::agent
