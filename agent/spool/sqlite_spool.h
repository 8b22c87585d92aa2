#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/spool/queue_tables.h"
#include "agent/spool/spool.h"

namespace cordon::agent {

// Locks: write_ or read_ before memory_, never both. write_ is held while the disk works, memory_ never.
class SqliteSpool final : public Spool {
 public:
  SqliteSpool(SpoolSettings settings, const Clock& clock, QueueTables writer, QueueTables reader,
              std::string notice);

  // Reads and checks all headers. DATA_LOSS when the queue contradicts itself: set the file aside then.
  absl::Status Load();
  // Puts in the queue what this start has to say.
  absl::Status RecordStart(const std::string& set_aside, const std::string& damage);

  absl::Status Append(const std::vector<EventGroup>& groups) override;
  absl::Status Maintain() override;
  absl::StatusOr<std::vector<v1::Batch>> Next(uint64_t after_sequence, size_t max_bytes) override;
  absl::Status Acknowledge(const std::string& chain_id, uint64_t first_sequence,
                           uint64_t last_sequence) override;
  absl::StatusOr<uint64_t> Reconcile(const v1::TelemetryPosition& controller) override;
  absl::Status GiveUp(uint64_t first_sequence, const std::string& reason) override;
  std::string ChainId() const override;
  SpoolStats Stats() const override;
  absl::Status CloseCleanly() override;
  absl::Status Readable() const override;
  std::string SetAsideNotice() const override { return notice_; }

 private:
  // All that a write changes; kept in memory as the disk has it.
  struct View {
    QueueState state;
    uint64_t bytes = 0;
    uint64_t events = 0;
    uint64_t stubs = 0;
    uint64_t dropped_events = 0;
    int64_t oldest_unix_nanos = 0;
  };

  // What the controller has committed ahead of a backlog.
  struct Run {
    uint64_t first = 0;
    uint64_t last = 0;
    uint64_t forgotten = 0;  // payloads up to here have been given up
  };
  using Runs = std::vector<Run>;
  using Stored = std::function<bool(const QueuedBatch&)>;

  // One transaction: acknowledgements, `change`, limits, state. The view is taken over only when it is on
  // disk.
  absl::Status Write(const std::function<absl::Status(View*)>& change);
  void PassTime(View* view);
  absl::Status ForgetAcknowledged(View* view, uint64_t acknowledged);
  absl::Status ForgetAhead(View* view, const Runs& ahead);
  void MarkForgotten(const Runs& ahead);
  absl::Status Remove(View* view, const QueuedBatch& queued);
  absl::Status AddBatches(View* view, std::vector<v1::Batch> batches);
  absl::Status KeepLimits(View* view);
  absl::Status Drop(View* view, const QueuedBatch& queued, v1::Gap::Cause cause);
  absl::Status FoldStubs(View* view);
  absl::Status BeginChain(View* view, uint64_t first_sequence, const Stored& stored);
  Stored StoredAhead() const;
  absl::Status FindOldest(View* view);
  absl::StatusOr<bool> Agrees(const v1::TelemetryPosition& controller);
  absl::StatusOr<bool> EndsAs(uint64_t last_sequence, const std::string& hash);
  absl::Status BeginChainAfterSetback(const v1::TelemetryPosition& controller);

  const SpoolSettings settings_;
  const Clock& clock_;
  const std::string notice_;

  std::mutex write_;
  QueueTables writer_;
  int64_t last_boot_nanos_;
  bool closed_ = false;

  std::mutex read_;
  QueueTables reader_;

  mutable std::mutex memory_;
  View view_;                  // changed only with write_ held too
  uint64_t acknowledged_ = 0;  // may be ahead of view_.state.acknowledged, which is on disk
  Runs ahead_;                 // by sequence; beyond acknowledged_
  absl::Status readable_;
};

}  // namespace cordon::agent
