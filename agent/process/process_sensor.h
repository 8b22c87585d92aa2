#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "agent/event/event_sink.h"
#include "agent/event/part_health.h"
#include "agent/event/process_directory.h"
#include "agent/process/process_tracker.h"
#include "common/base/clock.h"
#include "platform/api/process_source.h"

namespace cordon::agent {

// What runs on this host: a source of raw facts, the tracker that turns them into events, and the proof that
// both work (health part "cordon.process"). Thread-safe after Start.
class ProcessSensor final : public HealthPart, public ProcessDirectory {
 public:
  // Everything by reference is kept and must outlive the sensor. `host_id` and `boot_id` go into
  // process_guid. `fold_over`: see ProcessTracker::Settings.
  ProcessSensor(platform::ProcessSource& source, EventSink& sink, const Clock& clock, std::string host_id,
                std::string boot_id, uint32_t fold_over = 0);
  ~ProcessSensor() override;

  // Starts the source; when it is a fallback, a Gap event (CAUSE_FALLBACK_SENSOR) says what it cannot see. On
  // failure a Gap event (CAUSE_SENSOR_DOWN) is emitted, the part is not serving and says why, and the agent
  // may go on.
  absl::Status Start();
  // After it, nothing is emitted any more. Idempotent.
  void Stop();

  // The process that had `pid` at that moment, also when it is gone. What the kernel has recorded up to that
  // moment is read first, so a process that was born a millisecond ago is known. May block for as long as
  // Flush of the source.
  std::optional<ProcessRef> Find(uint32_t pid, int64_t boottime_nanos) const override;

  // Raw records that the kernel had to drop since Start, for LossCounters.kernel_buffer.
  uint64_t Lost() const { return tracker_.Lost(); }

  // HealthPart. Prove makes a process that does once what each hook of the source tells of, and waits until
  // all of it came through source and tracker; what did not is named.
  std::string Name() const override { return "cordon.process"; }
  void Prove() override;
  PartState State() const override;

 private:
  void Deliver(std::span<platform::RawProcessEvent> events);
  void SettleInTime(const std::stop_token& stop);
  void EmitGap(v1::Gap::Cause cause, std::string detail);
  void SetState(bool serving, std::string detail);
  struct Missing {
    uint8_t facts = 0;     // ProcessFact bits
    bool held_up = false;  // nothing is handled at the moment
  };
  // What of `wanted` did not come in time.
  Missing WaitForFactsOf(uint32_t pid, int64_t since_boottime_nanos, uint8_t wanted);

  platform::ProcessSource& source_;
  EventSink& sink_;
  const Clock& clock_;
  ProcessTracker tracker_;
  std::atomic<uint64_t> lost_at_proof_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable_any settle_;  // the settler: there is work again
  std::condition_variable delivered_;   // proofs
  bool running_ = false;                // guarded by mutex_
  bool work_for_settler_ = false;       // guarded by mutex_
  PartState state_;                     // guarded by mutex_
  mutable int64_t known_until_ = 0;     // guarded by mutex_: boot time up to which Flush has read
  std::jthread settler_;
};

}  // namespace cordon::agent
