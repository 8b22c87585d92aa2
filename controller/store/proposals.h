#pragma once

// Orders that wait for signatures, and the trust bundle that says how many (AUT-3). Private to this folder;
// `database` is the writer, inside a transaction.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/sqlite/database.h"
#include "controller/store/records.h"

namespace cordon::controller {

// Counts the signatures of result->signed_order, whose order is `order`, by `bundle`: fills in how many there
// are, how many it needs, and whom it is meant for now. True when they are enough. Errors of CountSignatures.
absl::StatusOr<bool> Judge(Database& database, const v1::Order& order, const v1::TrustBundle& bundle,
                           SubmittedOrder* result);

// The ids of those that expire up to then, by age: each may have 4 MiB of rules, so they are read one by one.
absl::StatusOr<std::vector<std::string>> OpenProposals(Database& database, int64_t expiry_unix_nanos);

absl::Status EndProposal(Database& database, std::string_view order_id, v1::ProposalState state, int64_t now,
                         const AuditNote& note);

// FAILED_PRECONDITION for a change of trust that hosts would not take any more: one that was numbered before
// the one in force (ISO-9). OK for all other orders.
absl::Status CheckTrustTurn(Database& database, const v1::Order& order);

// Puts the bundle of a change of trust, which was judged by the one in force, in its place: for this
// controller, in the history, and for the proposals that are open.
absl::Status ChangeTrust(Database& database, const v1::Order& order, const v1::SignedOrder& signed_order,
                         int64_t now);

}  // namespace cordon::controller
