#include "controller/store/order_rows.h"

#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "controller/store/sqlite_store_impl.h"
#include "controller/store/target_matcher.h"

namespace cordon::controller {
namespace {

using v1::OrderOutcome;

// Names an order for one host: its own outcome, and the end of older ones of the lane.
class Addressing {
 public:
  static absl::StatusOr<Addressing> For(Database& database, std::string_view lane) {
    CORDON_ASSIGN_OR_RETURN(Statement newer,
                            database.Prepare("SELECT 1 FROM outcomes WHERE host_id = ? AND lane = ? "
                                             "AND sequence > ? LIMIT 1"));
    CORDON_ASSIGN_OR_RETURN(Statement older,
                            database.Prepare("SELECT order_id FROM outcomes WHERE host_id = ? AND lane = ? "
                                             "AND sequence < ? AND state IN (1, 2)"));
    CORDON_ASSIGN_OR_RETURN(Statement insert,
                            database.Prepare("INSERT INTO outcomes VALUES(?, ?, ?, ?, ?, ?)"));
    return Addressing(database, lane, std::move(newer), std::move(older), std::move(insert));
  }

  absl::Status Address(std::string_view order_id, uint64_t sequence, std::string_view host_id, int64_t now,
                       std::vector<OrderOutcome>* superseded) {
    OrderOutcome outcome = MakeOutcome(order_id, host_id, OrderOutcome::STATE_PENDING, now);
    if (NewestCounts(lane_)) {
      CORDON_ASSIGN_OR_RETURN(const bool late, HasNewer(sequence, host_id));
      if (late) {
        outcome.set_state(OrderOutcome::STATE_SUPERSEDED);
        outcome.set_message("a newer order was there already");
      }
      CORDON_RETURN_IF_ERROR(EndOlder(order_id, sequence, host_id, now, superseded));
    }
    return insert_.BindText(1, order_id)
        .BindText(2, host_id)
        .BindText(3, lane_)
        .BindUnsigned(4, sequence)
        .Bind(5, outcome.state())
        .BindBlob(6, outcome.SerializeAsString())
        .Run();
  }

 private:
  Addressing(Database& database, std::string_view lane, Statement newer, Statement older, Statement insert)
      : database_(database),
        lane_(lane),
        newer_(std::move(newer)),
        older_(std::move(older)),
        insert_(std::move(insert)) {}

  absl::StatusOr<bool> HasNewer(uint64_t sequence, std::string_view host_id) {
    CORDON_ASSIGN_OR_RETURN(const bool found,
                            newer_.BindText(1, host_id).BindText(2, lane_).BindUnsigned(3, sequence).Step());
    newer_.Reset();
    return found;
  }

  absl::Status EndOlder(std::string_view order_id, uint64_t sequence, std::string_view host_id, int64_t now,
                        std::vector<OrderOutcome>* superseded) {
    std::vector<OrderOutcome> ended;
    older_.BindText(1, host_id).BindText(2, lane_).BindUnsigned(3, sequence);
    while (true) {
      CORDON_ASSIGN_OR_RETURN(const bool row, older_.Step());
      if (!row) break;
      ended.push_back(MakeOutcome(older_.Bytes(0), host_id, OrderOutcome::STATE_SUPERSEDED, now,
                                  StrCat("order ", order_id, " is newer")));
    }
    older_.Reset();
    for (const OrderOutcome& outcome : ended)
      CORDON_RETURN_IF_ERROR(ApplyOutcome(database_, now, outcome, superseded));
    return absl::OkStatus();
  }

  Database& database_;
  std::string lane_;
  Statement newer_;
  Statement older_;
  Statement insert_;
};

}  // namespace

absl::StatusOr<OrderRecord> OrderFrom(const Statement& row) {
  OrderRecord order;
  order.order_id = row.Bytes(0);
  order.lane = row.Bytes(1);
  order.sequence = row.Unsigned(2);
  order.not_before_unix_nanos = row.Int(3);
  order.expiry_unix_nanos = row.Int(4);
  order.submitted_by = row.Bytes(5);
  order.submitted_unix_nanos = row.Int(6);
  CORDON_RETURN_IF_ERROR(ParseStored(row.Bytes(7), &order.signed_order));
  order.proposal = static_cast<v1::ProposalState>(row.Int(8));
  order.signatures_needed = static_cast<uint32_t>(row.Int(9));
  order.released = row.Int(10);
  return order;
}

absl::StatusOr<OrderRecord> FindOrder(Database& database, std::string_view order_id) {
  CORDON_ASSIGN_OR_RETURN(Statement query,
                          database.Prepare(StrCat(kSelectOrder, "FROM orders o WHERE o.order_id = ?")));
  CORDON_ASSIGN_OR_RETURN(const bool found, query.BindText(1, order_id).Step());
  if (!found) {
    return absl::NotFoundError(StrCat("there is no order ", Printable(order_id.substr(0, 64))));
  }
  return OrderFrom(query);
}

absl::Status InsertOrder(Database& database, const v1::Order& order, const SubmittedOrder& submitted,
                         std::string_view submitted_by, int64_t now) {
  CORDON_ASSIGN_OR_RETURN(
      Statement insert,
      database.Prepare(
          "INSERT INTO orders(order_id, lane, sequence, not_before, expiry, submitted_by, submitted, "
          "wide_target, signed_order, proposal, signatures_needed) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  insert.BindText(1, order.order_id())
      .BindText(2, LaneOf(order))
      .BindUnsigned(3, order.sequence())
      .Bind(4, order.not_before_unix_nanos())
      .Bind(5, order.expiry_unix_nanos())
      .BindText(6, submitted_by)
      .Bind(7, now)
      .BindBlob(9, submitted.signed_order.SerializeAsString())
      .Bind(10, submitted.proposal)
      .Bind(11, submitted.signatures_needed);
  v1::Target wide = order.target();
  wide.clear_hosts();
  if (wide.all() || !wide.sites().empty() || !wide.labels().empty())
    insert.BindBlob(8, wide.SerializeAsString());
  return insert.Run();
}

absl::Status UpdateOrder(Database& database, std::string_view order_id, const SubmittedOrder& submitted) {
  CORDON_ASSIGN_OR_RETURN(
      Statement update,
      database.Prepare(
          "UPDATE orders SET signed_order = ?, proposal = ?, signatures_needed = ? WHERE order_id = ?"));
  return update.BindBlob(1, submitted.signed_order.SerializeAsString())
      .Bind(2, submitted.proposal)
      .Bind(3, submitted.signatures_needed)
      .BindText(4, order_id)
      .Run();
}

absl::StatusOr<std::vector<HostTraits>> HostsOf(Database& database, const v1::Target& target) {
  const TargetMatcher matcher(target);
  std::vector<HostTraits> hosts;
  CORDON_ASSIGN_OR_RETURN(
      Statement query, database.Prepare("SELECT host_id, name, site, labels FROM hosts WHERE revoked = 0"));
  while (true) {
    CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return hosts;
    CORDON_ASSIGN_OR_RETURN(std::vector<v1::Label> labels, UnpackLabels(query.Bytes(3)));
    if (!matcher.Matches(query.Bytes(0), query.Bytes(1), query.Bytes(2), labels)) continue;
    hosts.push_back({std::string(query.Bytes(0)), std::string(query.Bytes(1)), std::string(query.Bytes(2)),
                     std::move(labels)});
  }
}

absl::StatusOr<std::vector<std::string>> HostsAddressedBy(Database& database, std::string_view order_id) {
  std::vector<std::string> hosts;
  CORDON_ASSIGN_OR_RETURN(Statement query,
                          database.Prepare("SELECT host_id FROM outcomes WHERE order_id = ?"));
  query.BindText(1, order_id);
  while (true) {
    CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return hosts;
    hosts.emplace_back(query.Bytes(0));
  }
}

OrderOutcome MakeOutcome(std::string_view order_id, std::string_view host_id, OrderOutcome::State state,
                         int64_t now, std::string message) {
  OrderOutcome outcome;
  outcome.set_order_id(std::string(order_id));
  outcome.set_host_id(std::string(host_id));
  outcome.set_state(state);
  outcome.set_message(std::move(message));
  outcome.set_time_unix_nanos(now);
  return outcome;
}

bool NewestCounts(std::string_view lane) {
  return lane != kScanLane && lane != kTrustLane;
}

absl::Status AddressHosts(Database& database, const OrderNumber& order, std::span<const std::string> host_ids,
                          int64_t now, std::vector<OrderOutcome>* superseded) {
  CORDON_ASSIGN_OR_RETURN(Addressing addressing, Addressing::For(database, order.lane));
  for (const std::string& host_id : host_ids) {
    CORDON_RETURN_IF_ERROR(addressing.Address(order.order_id, order.sequence, host_id, now, superseded));
  }
  return absl::OkStatus();
}

}  // namespace cordon::controller
