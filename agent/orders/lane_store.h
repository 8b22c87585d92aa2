#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/sqlite/database.h"
#include "cordon/v1/order.pb.h"

namespace cordon::agent {

// The newest order of a lane, as agent.db has it.
struct LaneRecord {
  uint64_t sequence = 0;
  std::string order_id;      // empty: a floor, left when the record was lost with a damaged file
  v1::OrderOutcome outcome;  // state UNSPECIFIED: accepted, and its effect not yet known to be complete
  v1::SignedOrder order;     // so that an effect that a crash cut off can be given again
};

// Lanes "scan" and "policy", the policy in force, and what became of the newest scan. Every write survives a
// power cut before it returns. Not thread-safe: the agent loop's.
class LaneStore {
 public:
  // Opens agent.db with a connection of its own; open the spool first.
  static absl::StatusOr<std::unique_ptr<LaneStore>> Open(const std::filesystem::path& file,
                                                         const Clock& clock);

  absl::StatusOr<std::optional<LaneRecord>> Read(std::string_view lane);
  absl::Status Write(std::string_view lane, const LaneRecord& record);

  // The last policy that the host could carry out; nothing before the first one.
  absl::StatusOr<std::optional<v1::Policy>> ReadPolicy();
  absl::Status WritePolicy(const v1::Policy& policy);

 private:
  explicit LaneStore(Database database);
  Database database_;
};

}  // namespace cordon::agent
