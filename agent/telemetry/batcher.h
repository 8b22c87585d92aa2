#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "agent/event/event_sink.h"
#include "agent/event/part_health.h"
#include "agent/spool/spool.h"
#include "common/base/clock.h"
#include "cordon/v1/health.pb.h"

namespace cordon::agent {

struct BatcherSettings {
  size_t flush_events = 2'000;  // of one class: written at once
  // Each write costs a sync, a message and its acknowledgement, on a host where something always happens.
  std::chrono::milliseconds flush_after{1'000};
  // Acknowledged events are forgotten with the next write, and without one after this: on a host where little
  // happens that is a second sync for each event. Sooner when `forget_soon_bytes` are on the disk.
  std::chrono::milliseconds forget_after{5'000};
  uint64_t forget_soon_bytes = 1024 * 1024;
  // While nothing was acknowledged for `unheard_after` although something waits, nobody would get an event
  // any sooner: then batches are larger, which is what lets days without a controller fit into the spool.
  std::chrono::milliseconds unheard_after{60'000};
  std::chrono::milliseconds unheard_flush_after{5'000};
  size_t limit_bytes = 16 * 1024 * 1024;         // waiting in memory, without class CONTROL
  size_t control_limit_bytes = 4 * 1024 * 1024;  // class CONTROL
  std::chrono::milliseconds longest_block{
      100};  // how long Emit may hold a sensor back when the buffer is full
  std::chrono::milliseconds retry_after{1000};  // after the spool refused a write; doubles up to 30 s
};

// Collects events per class and writes them to the spool in groups, on a thread of its own. CONTROL and
// FINDING are written at once. When the spool does not keep up, Emit first waits, then counts: a gap event of
// cause QUEUE_FULL per class says how many and when (TEL-1).
//
// Also the health part "cordon.spool": its proof is a write that the disk has confirmed; it is not serving
// either once what was written cannot be read for delivery.
class Batcher final : public EventSink, public HealthPart {
 public:
  // `on_committed`: there are new batches; called after each commit, on the batcher's thread or in Stop.
  // Starts the thread. `spool` and `clock` must outlive the batcher.
  Batcher(Spool& spool, const Clock& clock, BatcherSettings settings, std::function<void()> on_committed);
  // What has not been flushed is lost, as in a crash.
  ~Batcher() override;

  void Emit(v1::EventClass event_class, int64_t time_unix_nanos, v1::Event event) override;

  // Returns when all that was emitted before is committed, or with the error of the last try after `timeout`.
  absl::Status Flush(std::chrono::milliseconds timeout);

  // Flush, then the spool's clean end; the thread is gone. For a stop in order: call after all sensors
  // stopped. What others emit meanwhile is written too, or counted in a gap; what comes after it is lost.
  absl::Status Stop(std::chrono::milliseconds timeout);

  // An acknowledgement came: the writer lets the spool forget, with its next write or soon. Never blocks.
  void WakeForMaintenance();

  uint64_t QueueFullLosses() const;

  std::string Name() const override { return "cordon.spool"; }
  void Prove() override;
  PartState State() const override;

 private:
  class Core;
  Spool& spool_;
  std::unique_ptr<Core> core_;
};

}  // namespace cordon::agent
