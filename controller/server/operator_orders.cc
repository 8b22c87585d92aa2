#include <spdlog/spdlog.h>

#include <memory>
#include <unordered_set>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/wire/order.h"
#include "common/wire/trust.h"
#include "controller/server/authorize.h"
#include "controller/server/operator_calls.h"

namespace cordon::controller {
namespace {

constexpr uint32_t kDefaultOrders = 100;
constexpr uint32_t kMaxOrders = 1'000;
// As much as hosts allow (agent/orders): one that they would refuse is refused here.
constexpr int64_t kClockSlackNanos = 300 * kNanosPerSecond;

// The hosts judge again by their own trust bundle (AUT-3), and the store counts the signatures; this is so
// that the operator hears of a mistake at once.
absl::StatusOr<v1::Order> CheckSubmitted(ServerParts& parts, const v1::SignedOrder& signed_order) {
  if (signed_order.signatures().empty()) {
    return absl::PermissionDeniedError("order refused: it is not signed");
  }
  CORDON_ASSIGN_OR_RETURN(const v1::TrustBundle bundle, TrustInForce(parts));
  CORDON_RETURN_IF_ERROR(Annotate(
      CountSignatures(signed_order.order(), signed_order.signatures(), bundle).status(), "order refused"));
  v1::Order order;
  if (!order.ParseFromString(signed_order.order())) return absl::InvalidArgumentError("order: damaged");
  if (order.expiry_unix_nanos() <= parts.clock.WallNanos()) {
    return absl::InvalidArgumentError(StrCat("the order expired at ", FormatTime(order.expiry_unix_nanos()),
                                             " by the controller's clock: sign a new one"));
  }
  if (order.not_before_unix_nanos() - parts.clock.WallNanos() > kClockSlackNanos) {
    return absl::InvalidArgumentError(
        StrCat("the order is not valid before ", FormatTime(order.not_before_unix_nanos()),
               ", and the controller's clock says ", FormatTime(parts.clock.WallNanos()),
               ": submit it then, or check the clock of the signing machine"));
  }
  if (order.has_trust() && !order.target().all()) {
    return absl::InvalidArgumentError(
        "target: a change of trust must be for all hosts: those left out would not obey the new operators");
  }
  return order;
}

// Queues the order for every connected host of it, and marks those.
void Deliver(ServerParts& parts, const v1::SignedOrder& signed_order, const std::string& order_id,
             const std::vector<std::string>& host_ids) {
  for (const std::string& host_id : parts.sessions.Push(host_ids, parts.orders.Of(order_id, signed_order))) {
    v1::OrderOutcome outcome;
    outcome.set_order_id(order_id);
    outcome.set_host_id(host_id);
    outcome.set_state(v1::OrderOutcome::STATE_DELIVERED);
    outcome.set_time_unix_nanos(parts.clock.WallNanos());
    parts.reports.Add({{}, std::move(outcome), [](const absl::Status& /*logged by the queue*/) {}});
  }
}

// Hosts that had a newer order of the lane when this one came do not get it.
std::vector<std::string> WithoutSuperseded(const SubmittedOrder& submitted, const std::string& order_id) {
  std::unordered_set<std::string> superseded;
  for (const v1::OrderOutcome& outcome : submitted.superseded) {
    if (outcome.order_id() == order_id) superseded.insert(outcome.host_id());
  }
  std::vector<std::string> host_ids = submitted.host_ids;
  std::erase_if(host_ids, [&](const std::string& host_id) { return superseded.contains(host_id); });
  return host_ids;
}

}  // namespace

void SendToHosts(ServerParts& parts, const std::string& order_id, const SubmittedOrder& submitted) {
  for (const v1::OrderOutcome& outcome : submitted.superseded) parts.outcomes.Publish(outcome);
  Deliver(parts, submitted.signed_order, order_id, WithoutSuperseded(submitted, order_id));
}

absl::Status SubmitOrder(ServerParts& parts, const Identity& caller, const v1::SubmitOrderRequest& request,
                         v1::SubmitOrderResponse* response) {
  CORDON_ASSIGN_OR_RETURN(const v1::Order order, CheckSubmitted(parts, request.order()));
  const std::lock_guard in_turn(parts.release_mutex);
  CORDON_ASSIGN_OR_RETURN(const SubmittedOrder submitted,
                          parts.store.SubmitOrder(request.order(), order, caller.id,
                                                  {ActorName(caller), "order.submit", order.order_id(),
                                                   StrCat(LaneOf(order), " lane, sequence ", order.sequence(),
                                                          ": ", Printable(order.reason()))}));
  response->set_order_id(order.order_id());
  response->set_hosts(static_cast<uint32_t>(submitted.host_ids.size()));
  response->set_signatures(submitted.signatures);
  response->set_signatures_needed(submitted.signatures_needed);
  if (submitted.repeat) return absl::OkStatus();
  const bool proposal = submitted.proposal == v1::PROPOSAL_STATE_OPEN;
  spdlog::info("{} {} of {} for {} hosts, {} of {} signatures", proposal ? "proposal" : "order",
               order.order_id(), ActorName(caller), submitted.host_ids.size(), submitted.signatures,
               submitted.signatures_needed);
  if (!proposal) SendToHosts(parts, order.order_id(), submitted);
  return absl::OkStatus();
}

absl::Status ListOrders(ServerParts& parts, const v1::ListOrdersRequest& request,
                        v1::ListOrdersResponse* response) {
  const uint32_t limit = request.limit() == 0 ? kDefaultOrders : request.limit();
  if (limit > kMaxOrders)
    return absl::InvalidArgumentError(StrCat("limit is ", limit, ", not 0 to ", kMaxOrders));
  CORDON_ASSIGN_OR_RETURN(OrderPage page, parts.store.ListOrders(limit, request.page_token()));
  for (v1::OrderSummary& order : page.orders) *response->add_orders() = std::move(order);
  response->set_next_page_token(page.next_page_token);
  return absl::OkStatus();
}

absl::Status GetOrder(ServerParts& parts, const v1::GetOrderRequest& request,
                      v1::GetOrderResponse* response) {
  if (!IsUuid(request.order_id())) return absl::InvalidArgumentError("order_id is not a UUID");
  if (request.page_token().empty()) {
    CORDON_ASSIGN_OR_RETURN(*response->mutable_summary(), parts.store.SummaryOf(request.order_id()));
  }
  CORDON_ASSIGN_OR_RETURN(OutcomePage page,
                          parts.store.OutcomePageOf(request.order_id(), request.page_token()));
  for (v1::OrderOutcome& outcome : page.outcomes) *response->add_outcomes() = std::move(outcome);
  response->set_next_page_token(page.next_page_token);
  return absl::OkStatus();
}

}  // namespace cordon::controller
