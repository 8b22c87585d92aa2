#include <algorithm>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/wire/order.h"
#include "controller/store/baselines.h"
#include "controller/store/order_rows.h"
#include "controller/store/outcome.h"
#include "controller/store/sqlite_store_impl.h"
#include "controller/store/target_matcher.h"

namespace cordon::controller {
namespace {

using v1::OrderOutcome;

// Which of a host's orders of a lane are looked at. Of an order that has ended, a scan is never sent again; a
// level that the host has lost the memory of is, and so is a change of trust. One that expired (8) is judged
// by its expiry alone.
std::string_view OfLane(std::string_view lane) {
  if (lane == kScanLane) return "AND h.state IN (1, 2, 3, 8) ORDER BY h.sequence";
  return NewestCounts(lane) ? "ORDER BY h.sequence DESC LIMIT 1" : "ORDER BY h.sequence";
}

uint64_t AppliedSequence(std::span<const v1::LaneState> lanes, std::string_view lane) {
  uint64_t sequence = 0;
  for (const v1::LaneState& state : lanes) {
    if (state.lane() == lane) sequence = std::max(sequence, state.sequence());
  }
  return sequence;
}

// What a host may still be sent: not what it refused, or what was put out of force. A change of trust that
// was refused out of turn, or by an agent that was too old for it, is tried again: those behind it wait for
// it. What expired by a clock that was ahead and was set right has not expired: its expiry is judged anew
// each time.
bool IsStillMeant(std::string_view lane, OrderOutcome::State state) {
  return (state != OrderOutcome::STATE_REFUSED || lane == kTrustLane) &&
         state != OrderOutcome::STATE_SUPERSEDED && state != OrderOutcome::STATE_CANCELLED;
}

// By sequence; but each is judged by the trust bundle that was in force when it went out, so a change of
// trust comes before what was released after it, whatever their numbers are: a proposal's is that of its
// making.
std::vector<OrderRecord> InTurn(std::vector<OrderRecord> orders) {
  std::ranges::stable_sort(orders, {}, &OrderRecord::sequence);
  const auto others = std::ranges::stable_partition(
      orders, [](const OrderRecord& order) { return order.lane == kTrustLane; });
  const auto first_other = others.begin();
  auto change = orders.begin();
  std::vector<OrderRecord> sorted;
  for (auto order = first_other; order != orders.end(); ++order) {
    for (; change != first_other && change->released < order->released; ++change) sorted.push_back(*change);
    sorted.push_back(std::move(*order));
  }
  for (; change != first_other; ++change) sorted.push_back(std::move(*change));
  return sorted;
}

struct OpenOutcome {
  std::string order_id;
  std::string host_id;
};

absl::StatusOr<std::vector<OpenOutcome>> UndeliveredOfExpired(Database& database, int64_t now) {
  std::vector<OpenOutcome> open;
  CORDON_ASSIGN_OR_RETURN(
      Statement query,
      database.Prepare("SELECT h.order_id, h.host_id FROM orders o JOIN outcomes h USING(order_id) "
                       "WHERE o.swept = 0 AND o.expiry <= ? AND h.state IN (1, 2)"));
  query.Bind(1, now);
  while (true) {
    CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return open;
    open.push_back({std::string(query.Bytes(0)), std::string(query.Bytes(1))});
  }
}

}  // namespace

absl::Status ApplyOutcome(Database& database, int64_t now, const OrderOutcome& said,
                          std::vector<OrderOutcome>* changed) {
  OrderOutcome outcome = said;
  {
    CORDON_ASSIGN_OR_RETURN(
        Statement query,
        database.Prepare("SELECT state, lane FROM outcomes WHERE order_id = ? AND host_id = ?"));
    CORDON_ASSIGN_OR_RETURN(const bool found,
                            query.BindText(1, outcome.order_id()).BindText(2, outcome.host_id()).Step());
    if (!found) return absl::OkStatus();  // never meant for this host (AUT-2)
    if (!MayBecome(query.Bytes(1), static_cast<OrderOutcome::State>(query.Int(0)), outcome.state()))
      return absl::OkStatus();
  }
  CORDON_RETURN_IF_ERROR(JudgeBaseline(database, now, &outcome));
  CORDON_ASSIGN_OR_RETURN(
      Statement update,
      database.Prepare("UPDATE outcomes SET state = ?, outcome = ? WHERE order_id = ? AND host_id = ?"));
  CORDON_RETURN_IF_ERROR(update.Bind(1, outcome.state())
                             .BindBlob(2, outcome.SerializeAsString())
                             .BindText(3, outcome.order_id())
                             .BindText(4, outcome.host_id())
                             .Run());
  changed->push_back(std::move(outcome));
  return absl::OkStatus();
}

absl::Status AdoptOrders(Database& database, int64_t now, const HostRecord& host) {
  std::vector<std::pair<OrderRecord, v1::Target>> orders;
  {
    CORDON_ASSIGN_OR_RETURN(
        Statement query,
        database.Prepare(StrCat(kSelectOrder,
                                ", o.wide_target FROM orders o WHERE o.expiry > ? AND "
                                "o.wide_target IS NOT NULL AND o.proposal IN (0, 2) ORDER BY o.sequence")));
    query.Bind(1, now);
    while (true) {
      CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
      if (!row) break;
      auto& [order, target] = orders.emplace_back();
      CORDON_ASSIGN_OR_RETURN(order, OrderFrom(query));
      CORDON_RETURN_IF_ERROR(ParseStored(query.Bytes(kOrderColumns), &target));
    }
  }
  std::vector<OrderOutcome> superseded;
  for (const auto& [order, target] : orders) {
    if (!TargetMatcher(target).Matches(host.host_id, host.facts.host_name(), host.site, host.labels))
      continue;
    CORDON_RETURN_IF_ERROR(AddressHosts(database, {order.order_id, order.lane, order.sequence},
                                        std::span(&host.host_id, 1), now, &superseded));
  }
  return AppendOutcomeEntries(database, now, superseded, SaidBy::kController);
}

absl::StatusOr<std::vector<OrderRecord>> SqliteStore::OrdersFor(std::string_view host_id,
                                                                std::span<const v1::LaneState> lanes) {
  const int64_t now = clock_.WallNanos();
  std::vector<OrderRecord> orders;
  const auto collect = [&](Database& database, std::string_view lane) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(
        Statement query,
        database.Prepare(StrCat(kSelectOrder,
                                ", h.state FROM outcomes h JOIN orders o USING(order_id) JOIN hosts s "
                                "USING(host_id) WHERE h.host_id = ? AND h.lane = ? AND s.revoked = 0 ",
                                OfLane(lane))));
    query.BindText(1, host_id).BindText(2, lane);
    while (true) {
      CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
      if (!row) return absl::OkStatus();
      const bool due = query.Unsigned(2) > AppliedSequence(lanes, lane) && query.Int(4) > now &&
                       IsStillMeant(lane, static_cast<OrderOutcome::State>(query.Int(kOrderColumns)));
      if (!due) continue;
      CORDON_ASSIGN_OR_RETURN(orders.emplace_back(), OrderFrom(query));
    }
  };
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    for (const std::string_view lane : {kIsolationLane, kPolicyLane, kTrustLane, kScanLane}) {
      CORDON_RETURN_IF_ERROR(collect(database, lane));
    }
    return absl::OkStatus();
  }));
  return InTurn(std::move(orders));
}

absl::StatusOr<std::vector<std::string>> SqliteStore::OvertakenScans(std::string_view host_id,
                                                                     std::span<const v1::LaneState> lanes) {
  std::vector<std::string> overtaken;
  const uint64_t applied = AppliedSequence(lanes, kScanLane);
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(Statement query,
                            database.Prepare("SELECT order_id FROM outcomes WHERE host_id = ? AND lane = ? "
                                             "AND sequence < ? AND state = 1"));
    query.BindText(1, host_id).BindText(2, kScanLane).BindUnsigned(3, applied);
    while (true) {
      CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
      if (!row) return absl::OkStatus();
      overtaken.emplace_back(query.Bytes(0));
    }
  }));
  return overtaken;
}

absl::StatusOr<std::vector<OrderOutcome>> SqliteStore::RecordOutcomes(
    std::span<const OrderOutcome> outcomes) {
  std::vector<OrderOutcome> changed;
  if (outcomes.empty()) return changed;
  const int64_t now = clock_.WallNanos();
  CORDON_RETURN_IF_ERROR(Write([&](Database& database) -> absl::Status {
    for (const OrderOutcome& outcome : outcomes) {
      CORDON_RETURN_IF_ERROR(ApplyOutcome(database, now, outcome, &changed));
      if (outcome.has_receipt())
        CORDON_RETURN_IF_ERROR(RecordReceipt(database, outcome.host_id(), outcome.receipt()));
    }
    return AppendOutcomeEntries(database, now, changed, SaidBy::kHost);
  }));
  return changed;
}

absl::StatusOr<std::vector<OrderOutcome>> SqliteStore::ExpireOrders() {
  const int64_t now = clock_.WallNanos();
  std::vector<OrderOutcome> changed;
  bool some = false;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(Statement query,
                            database.Prepare("SELECT 1 FROM orders WHERE swept = 0 AND expiry <= ? LIMIT 1"));
    CORDON_ASSIGN_OR_RETURN(some, query.Bind(1, now).Step());
    return absl::OkStatus();
  }));
  if (!some) return changed;
  CORDON_RETURN_IF_ERROR(Write([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(const std::vector<OpenOutcome> open, UndeliveredOfExpired(database, now));
    for (const OpenOutcome& outcome : open) {
      CORDON_RETURN_IF_ERROR(ApplyOutcome(
          database, now, MakeOutcome(outcome.order_id, outcome.host_id, OrderOutcome::STATE_EXPIRED, now),
          &changed));
    }
    CORDON_RETURN_IF_ERROR(AppendOutcomeEntries(database, now, changed, SaidBy::kController));
    CORDON_RETURN_IF_ERROR(ExpireProposals(database, now));
    CORDON_ASSIGN_OR_RETURN(Statement swept,
                            database.Prepare("UPDATE orders SET swept = 1 WHERE swept = 0 AND expiry <= ?"));
    return swept.Bind(1, now).Run();
  }));
  return changed;
}

}  // namespace cordon::controller
