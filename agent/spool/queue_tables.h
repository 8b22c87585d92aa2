#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/sqlite/database.h"
#include "cordon/v1/event.pb.h"

namespace cordon::agent {

// The one row of table `spool`.
struct QueueState {
  std::string host_id;
  std::string chain_id;
  uint64_t chain_first = 1;  // the number with which this chain began
  uint64_t next_sequence = 1;
  std::string last_hash;      // of the newest batch; zeroes in an empty chain
  uint64_t acknowledged = 0;  // chain_first - 1 before the first acknowledgement
  bool clean_stop = false;
  int64_t last_commit_unix_nanos = 0;
  // The queue's own time: only moves forward, whatever is done to the wall clock. Ages are judged by it.
  int64_t age_nanos = 0;
};

struct QueuedBatch {
  int64_t id = 0;
  v1::Batch batch;  // without payload
  int64_t written_age_nanos = 0;
  uint64_t payload_bytes = 0;  // 0 = dropped, or delivered

  // Committed by the controller ahead of a backlog: only the header is left, and it names no cause.
  bool Delivered() const { return payload_bytes == 0 && batch.dropped() == v1::Gap::CAUSE_UNSPECIFIED; }
};

// The SQL of the queue, and nothing else. Not thread-safe. The caller makes transactions.
class QueueTables {
 public:
  explicit QueueTables(Database database);

  absl::Status Transaction(const std::function<absl::Status()>& body) { return database_.Transaction(body); }

  absl::StatusOr<std::optional<QueueState>> LoadState();
  absl::Status SaveState(const QueueState& state);

  // `batch` with its payload.
  absl::Status Insert(const v1::Batch& batch, int64_t written_age_nanos);
  // All headers in order; stops at the first error that `visit` returns. `visit` may use this object.
  // DATA_LOSS for a header that cannot be read.
  absl::Status ForEach(const std::function<absl::Status(const QueuedBatch&)>& visit);
  // Replaces header and number.
  absl::Status ReplaceHeader(int64_t id, const v1::Batch& header);
  absl::Status DropPayload(int64_t id, v1::Batch header, v1::Gap::Cause cause);
  // The controller has it: the header stays as it is.
  absl::Status ForgetPayload(int64_t id);
  absl::Status Remove(int64_t id);

  // Batches with a payload and below CONTROL, least important and oldest first, or only those that were
  // written before a time. At most `limit`.
  absl::StatusOr<std::vector<QueuedBatch>> LeastImportant(int limit);
  absl::StatusOr<std::vector<QueuedBatch>> WrittenBefore(int64_t age_nanos, int limit);
  absl::StatusOr<std::vector<QueuedBatch>> UpTo(uint64_t last_sequence);
  // Those with a payload that lie wholly within the two numbers.
  absl::StatusOr<std::vector<QueuedBatch>> Within(uint64_t first_sequence, uint64_t last_sequence);
  absl::StatusOr<std::optional<QueuedBatch>> Find(uint64_t first_sequence);
  // When the first event of the oldest batch with a payload happened.
  absl::StatusOr<std::optional<int64_t>> OldestTime();

  // With payloads, each checked against its hash: one that is not as it was written is given as a dropped
  // batch, so that it does not stop the queue.
  absl::StatusOr<std::vector<v1::Batch>> ReadAfter(uint64_t sequence, size_t max_bytes);
  // The hash of the batch that ends with `last_sequence`, as the next one names it; nothing when there is no
  // next one.
  absl::StatusOr<std::optional<std::string>> HashAt(uint64_t last_sequence);

 private:
  // Reset when its user lets go of it: a row that was left unread would keep a read transaction open.
  struct Resetter {
    void operator()(Statement* statement) const { statement->Reset(); }
  };
  using KeptStatement = std::unique_ptr<Statement, Resetter>;

  // Prepared once, for what is asked in every round. One user of the same statement at a time.
  absl::StatusOr<KeptStatement> Kept(std::string_view sql);
  absl::StatusOr<std::vector<QueuedBatch>> ReadHeaders(Statement& query);

  Database database_;
  std::map<std::string, Statement, std::less<>> kept_;  // by their SQL; they end before the database
};

}  // namespace cordon::agent
