#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "agent/flows/known_flow.h"
#include "common/sqlite/database.h"

namespace cordon::agent {

struct FlowHistorySettings {
  std::filesystem::path file;  // "flows.db" in the state folder
  int64_t kept_nanos = 14LL * 86'400 * 1'000'000'000;
  size_t max_kinds = 20'000;
};

// The kinds of flow of the last days, in a SQLite file of its own: one row per program, direction, protocol,
// peer and accepting port. Losing it costs foresight and nothing else, so commits are not forced to disk, and
// a damaged file is set aside. One thread at a time.
class FlowHistory {
 public:
  // Makes the file when it is not there. UNAVAILABLE when it cannot be opened.
  static absl::StatusOr<FlowHistory> Open(const FlowHistorySettings& settings, int64_t now_unix_nanos);

  // Not empty when a damaged file was set aside: what a person is told.
  const std::string& SetAsideNotice() const { return set_aside_notice_; }

  // Adds to the rows of these kinds, in one transaction, then forgets what is too old, and of more than
  // max_kinds first those seen once, the oldest of them first: a scan of many peers must not push out what is
  // used daily.
  absl::Status Add(const std::vector<KnownFlow>& flows, int64_t now_unix_nanos);

  // At most `limit`, the most recent first.
  absl::StatusOr<std::vector<KnownFlow>> Recent(size_t limit);
  absl::StatusOr<size_t> Count();

  // Since when flows have been kept: when the file was made, or the limit of age.
  int64_t SinceUnixNanos(int64_t now_unix_nanos) const;

 private:
  FlowHistory(FlowHistorySettings settings, Database database);
  absl::Status Prepare(int64_t now_unix_nanos);
  absl::Status AddOne(const KnownFlow& known);
  absl::Status Forget(int64_t now_unix_nanos);

  FlowHistorySettings settings_;
  Database database_;
  std::vector<Statement> statements_;
  int64_t made_unix_nanos_ = 0;
  std::string set_aside_notice_;
};

}  // namespace cordon::agent
