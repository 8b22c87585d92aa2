#pragma once

// The durable queue on the host between sensors and controller.
//
// Invariants
//   - Batches in the queue have consecutive sequence numbers; batch n+1 names the hash of batch n (TEL-3).
//   - The numbers of a committed Append are never given out again, also not after a crash (TEL-2).
//   - A batch leaves the queue only when the controller has committed it and all before it; one that is
//   committed
//     ahead of a backlog keeps its header till then. Under pressure a batch's payload goes and its header
//     stays, `dropped` set: the chain stays whole, and the header is the gap (TEL-4). Class CONTROL is kept.
//   - What this host cannot know any more (crash, damage, time without an agent) is a Gap event in the queue
//   (TEL-1).

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/wire/batch_codec.h"
#include "cordon/v1/event.pb.h"
#include "cordon/v1/gateway.pb.h"
#include "cordon/v1/health.pb.h"

namespace cordon::agent {

struct SpoolSettings {
  std::filesystem::path file;                                    // agent.db
  std::string host_id;                                           // part of every batch's hash
  uint64_t limit_bytes = 512ULL * 1024 * 1024;                   // payloads and headers
  int64_t limit_age_nanos = 14LL * 24 * 3600 * kNanosPerSecond;  // by when a batch was written
  uint64_t limit_stubs = 100'000;  // headers without payload; beyond it they are folded into gap events
};

// Events of one class, in the order in which they get their numbers.
struct EventGroup {
  v1::EventClass event_class = v1::EVENT_CLASS_UNSPECIFIED;
  std::vector<TimedEvent> events;
};

struct SpoolStats {
  uint64_t bytes = 0;
  uint64_t limit_bytes = 0;
  uint64_t events = 0;            // not acknowledged and not dropped
  int64_t oldest_unix_nanos = 0;  // of the oldest batch with a payload; 0 = none
  uint64_t last_sequence = 0;     // 0 = none yet
  uint64_t acknowledged_sequence = 0;
  uint64_t dropped_events = 0;  // given up under pressure or age since the agent started
};
v1::SpoolHealth ToHealth(const SpoolStats& stats);

// Thread-safe. Append, Maintain and CloseCleanly write and wait for the disk: one thread's work. Next reads
// beside them without waiting for them. Acknowledge and Stats touch memory only.
class Spool {
 public:
  // Opens or makes the queue and puts in it what the last run could not say itself: that the agent was not
  // running (after CloseCleanly), that it stopped uncleanly, or that a damaged file was set aside and a new
  // chain begun.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(SpoolSettings settings, const Clock& clock);
  virtual ~Spool() = default;

  // Numbers the events in the order given, forms batches and commits them, with what has been acknowledged
  // and the limits, in one transaction that survives a power cut. On an error nothing has changed: keep the
  // events and try again. An event too large for any batch is replaced by a gap event that says so.
  virtual absl::Status Append(const std::vector<EventGroup>& groups) = 0;

  // Commits acknowledgements and limits although there is nothing to append, and proves that the disk takes
  // writes.
  virtual absl::Status Maintain() = 0;

  // The batches after `after_sequence`, in order, at least one if there is any, as many as fit in
  // `max_bytes`, and none behind a header that cannot be read. DATA_LOSS when that is the first one: then
  // nothing of the queue is delivered from there on.
  virtual absl::StatusOr<std::vector<v1::Batch>> Next(uint64_t after_sequence, size_t max_bytes) = 0;

  // The controller's store has everything from `first_sequence` (0 = from the beginning) up to and with
  // `last_sequence` of this chain; the next write forgets it. FAILED_PRECONDITION for another chain or a
  // number not given out: Reconcile decides then.
  virtual absl::Status Acknowledge(const std::string& chain_id, uint64_t first_sequence,
                                   uint64_t last_sequence) = 0;

  // Takes the controller's position at the beginning of a stream, and returns the sequence after which to
  // send. Where the two do not agree (a spool or a controller that was set back, a damaged spool, another
  // chain), what is in the queue begins a new chain, with numbers that neither side has used, and a gap event
  // that says why and, where it is known, which numbers the controller has lost. Nothing that is here is
  // lost; what the controller turns out to have already it knows by the payload's hash. INVALID_ARGUMENT for
  // a position that is none.
  virtual absl::StatusOr<uint64_t> Reconcile(const v1::TelemetryPosition& controller) = 0;

  // The controller refuses the batch that begins with `first_sequence`, again and again. Its payload is
  // dropped, with a gap event that carries `reason`; when it has none any more, the rest begins a new chain.
  // One batch must not stop the queue.
  virtual absl::Status GiveUp(uint64_t first_sequence, const std::string& reason) = 0;

  virtual std::string ChainId() const = 0;
  virtual SpoolStats Stats() const = 0;

  // The agent stops in order: what was appended is all there was. Append afterwards fails.
  virtual absl::Status CloseCleanly() = 0;

  // DATA_LOSS once Next has met damage, until the next start, which sets the file aside. Writes may go on
  // as if nothing were. Thread-safe, touches memory only.
  virtual absl::Status Readable() const { return absl::OkStatus(); }

  // A sentence for the health report when a damaged file was set aside at Open; else empty.
  virtual std::string SetAsideNotice() const = 0;
};

}  // namespace cordon::agent
