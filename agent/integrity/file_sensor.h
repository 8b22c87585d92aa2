#pragma once

#include <absl/status/status.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "agent/event/event_sink.h"
#include "agent/event/part_health.h"
#include "agent/event/process_directory.h"
#include "agent/integrity/policy.h"
#include "agent/integrity/settler.h"
#include "agent/integrity/tripwires.h"
#include "common/base/clock.h"
#include "cordon/v1/order.pb.h"
#include "platform/api/file_source.h"

namespace cordon::agent {

struct FileSensorConfig {
  std::filesystem::path state_folder;  // the agent's own: not watched, but for the canary below it
  SettleLimits settle;
  // Reads are summed up per process and file.
  SettleLimits settle_reads = {
      .quiet_nanos = 2'000'000'000, .longest_nanos = 60'000'000'000, .max_paths = 10'000};
  uint64_t max_hash_bytes = 256ULL << 20;        // longer files are told without SHA-256
  std::chrono::milliseconds process_wait{2000};  // how long to ask for a process that is not known yet
  std::chrono::milliseconds proof_wait{kCanaryTimeout};
  std::chrono::milliseconds gap_pause{5'000};  // between gaps of lost events; those between are added up
};

// Turns raw file events into FileChanged events: settles them per path, reads metadata and SHA-256, names the
// process. What the source lost becomes a Gap (TEL-1). The sink may block it; it then holds the source back,
// which counts what it must drop.
class FileSensor final : public HealthPart {
 public:
  using SourceFactory = std::function<std::unique_ptr<platform::FileSource>()>;

  // All references must outlive the sensor. `make_source` is platform::MakeFileSource but in tests.
  // `on_ransomware` is called on a thread of the sensor, and must not call it.
  FileSensor(FileSensorConfig config, SourceFactory make_source, const Clock& clock,
             const ProcessDirectory& processes, EventSink& sink, Tripwires::OnSure on_ransomware = {});
  ~FileSensor() override;

  // Starts watching by `policy`. On an error nothing runs, and a Gap (SENSOR_DOWN) is told. Once.
  absl::Status Start(const v1::Policy& policy);

  // Watches by another policy from now on; no event between the two is lost. On an error the old one stays in
  // force.
  absl::Status SetPolicy(const v1::Policy& policy);

  // Settles what is pending, emits it, and returns after the last Emit.
  void Stop();

  // What the watched roots and excluded prefixes are now, for scans.
  WatchPolicy CurrentPolicy() const;

  // Events lost in the kernel's or the source's queue, for the health report. An overflow of unknown size
  // counts 1.
  uint64_t LostEvents() const { return lost_; }

  // HealthPart "cordon.integrity": Prove writes a canary file and waits for its event, hash included.
  std::string Name() const override { return "cordon.integrity"; }
  void Prove() override;
  PartState State() const override;

 private:
  class Pipeline;

  absl::Status Watch(const v1::Policy& policy);
  absl::Status WriteCanary(std::string* sha256) const;
  void CanaryCameBack(const std::string& sha256);
  std::string WayOfWatching() const;
  void SetState(bool serving, std::string detail);

  const FileSensorConfig config_;
  const SourceFactory make_source_;
  const Clock& clock_;
  const std::filesystem::path canary_;
  std::atomic<uint64_t> lost_ = 0;

  std::mutex policy_mutex_;   // one change of policy at a time
  std::mutex prove_mutex_;    // one proof at a time
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable canary_back_;
  std::string canary_seen_;  // SHA-256 of the last canary that came back
  bool stopped_ = false;
  PartState state_;
  std::unique_ptr<platform::FileSource> source_;  // replaced under policy_mutex_ and mutex_
  Tripwires tripwires_;
  std::unique_ptr<Pipeline> pipeline_;
};

}  // namespace cordon::agent
