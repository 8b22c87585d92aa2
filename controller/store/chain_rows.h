#pragma once

// A host's chain as it stands in the tables `chains` and `segments`. Private to this folder.

#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/sqlite/database.h"
#include "controller/store/records.h"

namespace cordon::controller {

// The end of the host's present chain; empty when it has none.
absl::StatusOr<ChainPosition> ReadChain(Database& database, std::string_view host_id);

// Writes it back; the chain is there. `with_segments`: its segments have changed too.
absl::Status WriteChain(Database& database, std::string_view host_id, const ChainPosition& position,
                        bool with_segments);

// Ends the host's present chain and begins this one. False: the host had a chain of this name before.
absl::StatusOr<bool> BeginChainRow(Database& database, std::string_view host_id, const std::string& chain_id);

// The host had other chains than its present one.
absl::StatusOr<bool> HadChains(Database& database, std::string_view host_id);

// A stored batch of the host with this payload and class in a chain before and one behind this one, by their
// names: two searches of an index, whatever the host has stored (AUT-6).
inline constexpr std::array<std::string_view, 2> kFindPayload = {
    "SELECT position, first_time, event_count FROM batches WHERE host_id = ? AND payload_sha256 = ? AND "
    "event_class = ? AND chain_id < ? AND dropped = 0 AND repeats <= 0 LIMIT 1",
    "SELECT position, first_time, event_count FROM batches WHERE host_id = ? AND payload_sha256 = ? AND "
    "event_class = ? AND chain_id > ? AND dropped = 0 AND repeats <= 0 LIMIT 1"};
// The position of a batch that is stored in another chain of the host and has the same events: the same
// payload and so, but for a header that was altered, the same time and count. 0 = there is none.
absl::StatusOr<int64_t> FindInOtherChains(Database& database, std::string_view host_id,
                                          const v1::Batch& batch, int64_t first_time_unix_nanos);

}  // namespace cordon::controller
