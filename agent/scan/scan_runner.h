#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/event/event_sink.h"
#include "agent/event/part_health.h"
#include "common/base/clock.h"
#include "cordon/v1/scan.pb.h"

namespace cordon::agent {

struct ScanConfig {
  std::filesystem::path database;  // baseline.db
  std::vector<std::filesystem::path>
      excluded;  // absolute prefixes that no scan enters: the agent's own state
};

// Runs scans, one at a time, on threads of its own. Findings go to the sink as they appear (class FINDING);
// progress at least once a second to the callback, the last one with a final state (DONE, CANCELLED, FAILED)
// and the list of what was not scanned. Thread-safe.
class ScanRunner final : public HealthPart {
 public:
  // Called on the scan's thread, or on that of ReportInterrupted. Must not call the runner.
  using OnProgress = std::function<void(const v1::ScanProgress&)>;
  // The host's watched paths, for a job that names none.
  using DefaultPaths = std::function<std::vector<std::filesystem::path>()>;

  // Opens the database. A damaged one is set aside, which is told by an AgentLifecycle event, by State() and
  // by SetAsideNotice(). `clock` and `sink` must outlive the runner.
  static absl::StatusOr<std::unique_ptr<ScanRunner>> Open(ScanConfig config, const Clock& clock,
                                                          EventSink& sink, DefaultPaths default_paths,
                                                          OnProgress on_progress);
  ~ScanRunner() override;

  // Begins a job and returns. Nothing has changed on an error: INVALID_ARGUMENT names the bad field;
  // UNIMPLEMENTED for indicators; FAILED_PRECONDITION for a check without a baseline; RESOURCE_EXHAUSTED
  // while another job runs.
  absl::Status Start(const std::string& order_id, const v1::ScanSpec& spec);

  // The job ends as CANCELLED within a second. NOT_FOUND when no such job runs.
  absl::Status Cancel(const std::string& order_id);

  // Tells, as FAILED, the job that the agent's death interrupted, if any. Once, after construction.
  void ReportInterrupted();

  // Ends a running job (as FAILED: the agent stops) and returns after its last callback.
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

// INVALID_ARGUMENT or UNIMPLEMENTED as for ScanRunner::Start; pure.
absl::Status CheckScanSpec(const v1::ScanSpec& spec);

}  // namespace cordon::agent
