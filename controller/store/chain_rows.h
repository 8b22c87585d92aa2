#pragma once

// A host's chain as it stands in the tables `chains` and `segments`. Private to this folder.

#include <absl/status/statusor.h>

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

}  // namespace cordon::controller
