#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/event/event_sink.h"
#include "agent/event/part_health.h"
#include "agent/event/process_directory.h"
#include "common/base/clock.h"
#include "cordon/v1/scan.pb.h"
#include "platform/api/load_meter.h"
#include "platform/api/sandboxed_child.h"

namespace cordon::agent {

struct ScanConfig {
  std::filesystem::path database;  // baseline.db
  // Absolute prefixes that no scan enters: the agent's own state.
  std::vector<std::filesystem::path> excluded = {};
  std::string host_id = {};               // for reports
  platform::SandboxCommand scanner = {};  // a program that calls RunScannerChild
};

struct ScanParts {
  const Clock& clock;
  EventSink& sink;
  const ProcessDirectory* processes = nullptr;  // who a running process is; may be null
  // Returns when all that was emitted is on disk, or with why it is not.
  std::function<absl::Status()> flush_events;
  // The host's watched paths, for a job that names none.
  std::function<std::vector<std::filesystem::path>()> default_paths;
  // On the scan's thread, or on that of ResumeInterrupted or Cancel. Must not call the runner.
  std::function<void(const v1::ScanProgress&)> on_progress;
  // The rules of an order are bad (file and line in the text): nothing was done. As on_progress.
  std::function<void(const std::string& order_id, const absl::Status& why)> on_refused;
  // What tells a scan that is not at full speed how busy the machine is.
  std::function<std::unique_ptr<platform::LoadMeter>()> make_meter = platform::MakeLoadMeter;
};

// Runs scans, one at a time, on threads of its own. Findings go to the sink as they appear (class FINDING);
// progress at least once a second to the callback, the last one with a final state (DONE, CANCELLED, FAILED),
// the list of what was not scanned, and the report that is to be signed. A job keeps its place on disk until
// Forget: it goes on after a pause, a crash and a reboot, and tells each finding once, or says that it may be
// for the second time. Thread-safe.
class ScanRunner final : public HealthPart {
 public:
  // Opens the database. A damaged one is set aside, which is told by an AgentLifecycle event, by State() and
  // by SetAsideNotice(). What `parts` refers to must outlive the runner.
  static absl::StatusOr<std::unique_ptr<ScanRunner>> Open(ScanConfig config, ScanParts parts);
  ~ScanRunner() override;

  // Begins a job and returns; rules are compiled then, and on_refused tells of bad ones. Nothing has changed
  // on an error: INVALID_ARGUMENT names the bad field; FAILED_PRECONDITION for a check without a baseline;
  // RESOURCE_EXHAUSTED while another job runs, is paused or was not forgotten.
  absl::Status Start(const std::string& order_id, const v1::ScanSpec& spec);

  // The job ends as CANCELLED within a second, a paused one at once. NOT_FOUND when there is no such job.
  absl::Status Cancel(const std::string& order_id);

  // The job stops within a second, and keeps its place, also through a restart of the agent. Twice is once.
  // NOT_FOUND when there is no such job.
  absl::Status Pause(const std::string& order_id);
  // The paused job goes on; one that runs just goes on. NOT_FOUND as for Pause.
  absl::Status Resume(const std::string& order_id);

  // OK for a job that runs or is paused. NOT_FOUND: there is no such job, or it has ended; DATA_LOSS: what
  // was kept of it is damaged.
  absl::Status Find(const std::string& order_id);
  // The job has told its end, or cannot go on, and that is recorded where it outlives a crash. Until then
  // it would be told again by the next run of the agent. Any other job: nothing.
  void Forget(const std::string& order_id);

  // The job that the agent's end interrupted, if any, goes on, or stays paused. Once, after construction.
  void ResumeInterrupted();

  // Stops a running job, which ResumeInterrupted continues in the next run of the agent, and returns after
  // its last callback.
  void Stop();

  // A sentence for the health report when the database had to be set aside; else empty.
  std::string SetAsideNotice() const;

  // HealthPart "cordon.scan": Prove hashes a known file and reads the database.
  std::string Name() const override { return "cordon.scan"; }
  void Prove() override;
  PartState State() const override;

 private:
  class Core;
  explicit ScanRunner(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace cordon::agent
