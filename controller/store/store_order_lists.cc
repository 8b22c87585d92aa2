// Orders and outcomes as operators look at them.

#include <charconv>
#include <limits>
#include <system_error>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "controller/store/order_rows.h"
#include "controller/store/sqlite_store_impl.h"

namespace cordon::controller {
namespace {

using v1::OrderOutcome;

constexpr size_t kPageBytes = size_t{8} * 1024 * 1024;

// Turns rows into summaries.
class Summaries {
 public:
  static absl::StatusOr<Summaries> For(Database& database) {
    CORDON_ASSIGN_OR_RETURN(
        Statement count,
        database.Prepare("SELECT state, count(*) FROM outcomes WHERE order_id = ? GROUP BY state"));
    return Summaries(std::move(count));
  }

  absl::StatusOr<v1::OrderSummary> Of(OrderRecord order) {
    v1::OrderSummary summary;
    *summary.mutable_order() = std::move(order.signed_order);
    summary.set_submitted_by(order.submitted_by);
    summary.set_submitted_unix_nanos(order.submitted_unix_nanos);
    summary.set_signatures_needed(order.signatures_needed);
    summary.set_proposal(order.proposal);
    count_.BindText(1, order.order_id);
    while (true) {
      CORDON_ASSIGN_OR_RETURN(const bool state, count_.Step());
      if (!state) break;
      (*summary.mutable_counts())[OrderOutcome::State_Name(static_cast<int>(count_.Int(0)))] =
          static_cast<uint32_t>(count_.Int(1));
    }
    count_.Reset();
    return summary;
  }

 private:
  explicit Summaries(Statement count) : count_(std::move(count)) {}
  Statement count_;
};

absl::Status NotOurs() {
  return absl::InvalidArgumentError("page_token is not one of ours");
}

}  // namespace

absl::StatusOr<OrderRecord> SqliteStore::GetOrder(std::string_view order_id) {
  OrderRecord order;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(order, FindOrder(database, order_id));
    return absl::OkStatus();
  }));
  return order;
}

absl::StatusOr<std::vector<OrderOutcome>> SqliteStore::OutcomesOf(std::string_view order_id) {
  std::vector<OrderOutcome> outcomes;
  CORDON_RETURN_IF_ERROR(GetOrder(order_id).status());
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(
        Statement query,
        database.Prepare("SELECT outcome FROM outcomes WHERE order_id = ? ORDER BY host_id"));
    query.BindText(1, order_id);
    while (true) {
      CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
      if (!row) return absl::OkStatus();
      CORDON_RETURN_IF_ERROR(ParseStored(query.Bytes(0), &outcomes.emplace_back()));
    }
  }));
  return outcomes;
}

absl::StatusOr<OutcomePage> SqliteStore::OutcomePageOf(std::string_view order_id,
                                                       std::string_view page_token) {
  if (!page_token.empty() && !IsUuid(page_token)) return NotOurs();
  OutcomePage page;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(Statement query,
                            database.Prepare("SELECT outcome, host_id FROM outcomes WHERE order_id = ? AND "
                                             "host_id > ? ORDER BY host_id"));
    query.BindText(1, order_id).BindText(2, page_token);
    std::string last;
    for (size_t bytes = 0;;) {
      CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
      if (!row) return absl::OkStatus();
      if (bytes >= kPageBytes) {
        page.next_page_token = last;
        return absl::OkStatus();
      }
      bytes += query.Bytes(0).size();
      last = query.Bytes(1);
      CORDON_RETURN_IF_ERROR(ParseStored(query.Bytes(0), &page.outcomes.emplace_back()));
    }
  }));
  return page;
}

absl::StatusOr<v1::OrderSummary> SqliteStore::SummaryOf(std::string_view order_id) {
  v1::OrderSummary summary;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(OrderRecord order, FindOrder(database, order_id));
    CORDON_ASSIGN_OR_RETURN(Summaries summaries, Summaries::For(database));
    CORDON_ASSIGN_OR_RETURN(summary, summaries.Of(std::move(order)));
    return absl::OkStatus();
  }));
  return summary;
}

absl::StatusOr<OrderPage> SqliteStore::ListOrders(uint32_t limit, std::string_view page_token) {
  if (limit == 0 || limit > 1'000) return absl::InvalidArgumentError("limit is not 1 to 1,000");
  int64_t before = std::numeric_limits<int64_t>::max();
  if (!page_token.empty()) {
    const char* const end = page_token.data() + page_token.size();
    const auto [last, error] = std::from_chars(page_token.data(), end, before);
    if (error != std::errc() || last != end) return NotOurs();
  }
  OrderPage page;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(
        Statement query,
        database.Prepare(
            StrCat(kSelectOrder, ", o.number FROM orders o WHERE o.number < ? ORDER BY o.number DESC")));
    CORDON_ASSIGN_OR_RETURN(Summaries summaries, Summaries::For(database));
    query.Bind(1, before);
    for (size_t bytes = 0;;) {
      CORDON_ASSIGN_OR_RETURN(const bool row, query.Step());
      if (!row) return absl::OkStatus();
      if (page.orders.size() >= limit || bytes >= kPageBytes) {
        page.next_page_token = StrCat(before);
        return absl::OkStatus();
      }
      before = query.Int(kOrderColumns);
      CORDON_ASSIGN_OR_RETURN(OrderRecord order, OrderFrom(query));
      bytes += order.signed_order.ByteSizeLong();
      CORDON_ASSIGN_OR_RETURN(page.orders.emplace_back(), summaries.Of(std::move(order)));
    }
  }));
  return page;
}

absl::StatusOr<uint64_t> SqliteStore::NewestOrderSequence() {
  uint64_t sequence = 0;
  CORDON_RETURN_IF_ERROR(Read([&](Database& database) -> absl::Status {
    CORDON_ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT max(sequence) FROM orders"));
    CORDON_RETURN_IF_ERROR(query.Step().status());
    sequence = query.Unsigned(0);
    return absl::OkStatus();
  }));
  return sequence;
}

}  // namespace cordon::controller
