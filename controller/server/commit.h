#pragma once

// What waits for a durable commit. What gathers while one transaction runs shares the next.

#include <absl/status/statusor.h>

#include <functional>
#include <string>
#include <vector>

#include "controller/server/feeds.h"
#include "controller/server/group_queue.h"
#include "controller/store/store.h"

namespace cordon::controller {

struct BatchToCommit {
  HostBatch batch;
  std::function<void(const absl::StatusOr<BatchResult>&)> done;  // does not wait
};

// A receipt, an outcome or facts, as a host reported them on Control. One of them is set.
struct ReportToRecord {
  HostReceipt receipt;                            // host_id empty: none
  v1::OrderOutcome outcome;                       // order_id empty: none
  std::function<void(const absl::Status&)> done;  // does not wait
  HostNews facts = {};                            // host_id empty: none
  // Before `done`, when the outcome is one that the store took: it is of an order that is meant for the host,
  // and changed what is known. Does not wait.
  std::function<void()> taken = {};
};

using BatchQueue = GroupQueue<BatchToCommit>;
using ReportQueue = GroupQueue<ReportToRecord>;

// Commits the group in one transaction, tells the feeds, then each `done` (TEL-2: never before the commit).
void CommitBatchGroup(Store& store, CommitFeed& commits, OutcomeFeed& outcomes,
                      std::vector<BatchToCommit> group);

// The same for reports.
void RecordReportGroup(Store& store, OutcomeFeed& outcomes, std::vector<ReportToRecord> group);

}  // namespace cordon::controller
