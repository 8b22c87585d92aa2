#pragma once

// Orders as they stand in the store, and whom they name. Private to this folder; `database` is the writer,
// inside a transaction, wherever something is written.

#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/sqlite/database.h"
#include "common/wire/order.h"
#include "controller/store/records.h"

namespace cordon::controller {

// Columns 0 to 10 of a row that OrderFrom reads; further columns and "FROM orders o …" go behind it.
inline constexpr std::string_view kSelectOrder =
    "SELECT o.order_id, o.lane, o.sequence, o.not_before, o.expiry, o.submitted_by, o.submitted, "
    "o.signed_order, o.proposal, o.signatures_needed, o.released ";
inline constexpr int kOrderColumns = 11;

absl::StatusOr<OrderRecord> OrderFrom(const Statement& row);
// NOT_FOUND.
absl::StatusOr<OrderRecord> FindOrder(Database& database, std::string_view order_id);

absl::Status InsertOrder(Database& database, const v1::Order& order, const SubmittedOrder& submitted,
                         std::string_view submitted_by, int64_t now);
// Writes what signatures change: the order with them, how many it needs, and where it stands.
absl::Status UpdateOrder(Database& database, std::string_view order_id, const SubmittedOrder& submitted);

// The hosts that may obey and that the target names.
absl::StatusOr<std::vector<HostTraits>> HostsOf(Database& database, const v1::Target& target);
// Those that have an outcome of the order.
absl::StatusOr<std::vector<std::string>> HostsAddressedBy(Database& database, std::string_view order_id);

v1::OrderOutcome MakeOutcome(std::string_view order_id, std::string_view host_id,
                             v1::OrderOutcome::State state, int64_t now, std::string message = {});

// In these lanes a newer order puts the older ones out of force; scans stand beside each other, and changes
// of trust are taken in turn, each judged by the one before it (AUT-3).
bool NewestCounts(std::string_view lane);

struct OrderNumber {
  std::string_view order_id;
  std::string_view lane;
  uint64_t sequence = 0;
};
// Names an order for hosts: an outcome of its own on each, and the end of older ones of the lane there.
absl::Status AddressHosts(Database& database, const OrderNumber& order, std::span<const std::string> host_ids,
                          int64_t now, std::vector<v1::OrderOutcome>* superseded);

}  // namespace cordon::controller
