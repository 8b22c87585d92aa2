#include "controller/server/commit.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/base/status.h"

namespace cordon::controller {
namespace {

using Outcomes = std::vector<v1::OrderOutcome>;

// Those of the outcomes that changed something.
absl::StatusOr<Outcomes> RecordGroup(Store& store, OutcomeFeed& feed, std::span<const HostReceipt> receipts,
                                     std::span<const v1::OrderOutcome> outcomes,
                                     std::span<const HostNews> facts) {
  if (!facts.empty()) CORDON_RETURN_IF_ERROR(store.UpdateFacts(facts));
  if (!receipts.empty()) CORDON_RETURN_IF_ERROR(store.RecordReceipts(receipts));
  if (outcomes.empty()) return Outcomes();
  CORDON_ASSIGN_OR_RETURN(Outcomes changed, store.RecordOutcomes(outcomes));
  for (const v1::OrderOutcome& outcome : changed) feed.Publish(outcome);
  return changed;
}

bool Has(const Outcomes& changed, const v1::OrderOutcome& reported) {
  return std::ranges::any_of(changed, [&](const v1::OrderOutcome& outcome) {
    return outcome.order_id() == reported.order_id() && outcome.host_id() == reported.host_id();
  });
}

}  // namespace

void CommitBatchGroup(Store& store, CommitFeed& commits, OutcomeFeed& outcomes,
                      std::vector<BatchToCommit> group) {
  std::vector<HostBatch> batches;
  batches.reserve(group.size());
  for (BatchToCommit& item : group) batches.push_back(std::move(item.batch));
  const absl::StatusOr<CommitResult> result = store.CommitBatches(batches);
  if (!result.ok()) {
    spdlog::error("cannot store {} batches; their hosts keep them: {}", batches.size(),
                  Message(result.status()));
    for (const BatchToCommit& item : group) item.done(result.status());
    return;
  }
  for (const v1::OrderOutcome& outcome : result->changed_outcomes) outcomes.Publish(outcome);
  for (size_t i = 0; i < group.size(); ++i) group[i].done(result->batches[i]);
  commits.Publish();
}

void RecordReportGroup(Store& store, OutcomeFeed& outcomes, std::vector<ReportToRecord> group) {
  std::vector<HostReceipt> receipts;
  std::vector<v1::OrderOutcome> reported;
  std::vector<HostNews> facts;
  for (ReportToRecord& item : group) {
    if (!item.receipt.host_id.empty()) receipts.push_back(std::move(item.receipt));
    if (!item.outcome.order_id().empty()) reported.push_back(item.outcome);
    if (!item.facts.host_id.empty()) facts.push_back(std::move(item.facts));
  }
  const absl::StatusOr<Outcomes> changed = RecordGroup(store, outcomes, receipts, reported, facts);
  if (!changed.ok()) {
    spdlog::error("cannot record {} reports of hosts: {}", group.size(), Message(changed.status()));
  }
  for (const ReportToRecord& item : group) {
    if (item.taken && changed.ok() && Has(*changed, item.outcome)) item.taken();
    item.done(changed.status());
  }
}

}  // namespace cordon::controller
