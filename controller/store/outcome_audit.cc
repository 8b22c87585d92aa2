// What became of orders, in the audit log.

#include <map>
#include <tuple>
#include <vector>

#include "common/base/status.h"
#include "common/base/text.h"
#include "controller/store/outcome.h"
#include "controller/store/sqlite_store_impl.h"

namespace cordon::controller {
namespace {

using v1::OrderOutcome;

constexpr size_t kHostsPerEntry = 100;
constexpr size_t kMaxMessageBytes = 1'000;

// Order, state and message: what hosts have in common.
using Kind = std::tuple<std::string, OrderOutcome::State, std::string>;

std::string_view ActionOf(OrderOutcome::State state) {
  switch (state) {
    case OrderOutcome::STATE_DELIVERED:
      return "order.delivered";
    case OrderOutcome::STATE_GOING_DARK:
      return "order.going_dark";
    case OrderOutcome::STATE_DONE:
      return "order.done";
    case OrderOutcome::STATE_REFUSED:
      return "order.refused";
    case OrderOutcome::STATE_FAILED:
      return "order.failed";
    case OrderOutcome::STATE_SUPERSEDED:
      return "order.superseded";
    case OrderOutcome::STATE_EXPIRED:
      return "order.expired";
    case OrderOutcome::STATE_CANCELLED:
      return "order.cancelled";
    default:
      return {};  // under way
  }
}

// A host must not write as the controller, whatever state it names (AUT-2).
std::string ActorOf(SaidBy said_by, OrderOutcome::State state, std::span<const std::string> host_ids) {
  const bool controller = said_by == SaidBy::kController || state == OrderOutcome::STATE_DELIVERED;
  return controller || host_ids.size() != 1 ? "controller" : StrCat("host/", host_ids.front());
}

std::string DetailOf(std::span<const std::string> host_ids, const std::string& message) {
  std::string detail = StrCat(host_ids.size(), host_ids.size() == 1 ? " host" : " hosts");
  for (size_t i = 0; i < host_ids.size(); ++i) StrAppend(&detail, i == 0 ? ": " : ", ", host_ids[i]);
  if (!message.empty()) StrAppend(&detail, "; ", message);
  return detail;
}

}  // namespace

absl::Status AppendOutcomeEntries(Database& database, int64_t now, std::span<const OrderOutcome> changed,
                                  SaidBy said_by) {
  std::map<Kind, std::vector<std::string>> hosts;
  for (const OrderOutcome& outcome : changed) {
    if (ActionOf(outcome.state()).empty()) continue;
    hosts[{outcome.order_id(), outcome.state(), Printable(outcome.message().substr(0, kMaxMessageBytes))}]
        .push_back(outcome.host_id());
  }
  for (const auto& [kind, host_ids] : hosts) {
    const auto& [order_id, state, message] = kind;
    for (size_t at = 0; at < host_ids.size(); at += kHostsPerEntry) {
      const auto some = std::span(host_ids).subspan(at, std::min(kHostsPerEntry, host_ids.size() - at));
      CORDON_RETURN_IF_ERROR(AppendAuditEntry(
          database, now,
          {ActorOf(said_by, state, some), std::string(ActionOf(state)), order_id, DetailOf(some, message)}));
    }
  }
  return absl::OkStatus();
}

}  // namespace cordon::controller
