#include "agent/orders/order_checks.h"

#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/base/uuid.h"

namespace cordon::agent {

std::optional<Refusal> CheckForHost(const v1::Order& order, const HostTraits& host, int64_t now_unix_nanos,
                                    int64_t slack_nanos) {
  using Outcome = v1::OrderOutcome;
  if (!TargetMatches(order.target(), host)) {
    return Refusal{Outcome::STATE_REFUSED,
                   StrCat("the order is not for this host: it is ", Printable(host.name), " (", host.host_id,
                          ") of site ", host.site)};
  }
  const std::string clock = StrCat("this host's clock says ", FormatTime(now_unix_nanos));
  if (now_unix_nanos >= order.expiry_unix_nanos()) {
    return Refusal{Outcome::STATE_EXPIRED,
                   StrCat("the order expired at ", FormatTime(order.expiry_unix_nanos()), "; ", clock)};
  }
  if (order.not_before_unix_nanos() > now_unix_nanos &&
      order.not_before_unix_nanos() - now_unix_nanos > slack_nanos) {
    return Refusal{Outcome::STATE_REFUSED, StrCat("the order is not valid before ",
                                                  FormatTime(order.not_before_unix_nanos()), "; ", clock)};
  }
  return std::nullopt;
}

LaneAnswer CompareWithLane(const v1::Order& order, uint64_t lane_sequence, const std::string& lane_order_id) {
  if (order.sequence() > lane_sequence) return LaneAnswer::kNewer;
  const bool same = order.sequence() == lane_sequence && order.order_id() == lane_order_id;
  return same ? LaneAnswer::kSame : LaneAnswer::kOlder;
}

v1::OrderOutcome::State StateOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kNotFound:
      return v1::OrderOutcome::STATE_REFUSED;
    default:
      return v1::OrderOutcome::STATE_FAILED;
  }
}

std::string ClaimedOrderId(const v1::SignedOrder& signed_order) {
  v1::Order order;
  if (signed_order.order().size() > kMaxOrderBytes || !order.ParseFromString(signed_order.order())) return "";
  return IsUuid(order.order_id()) ? order.order_id() : "";
}

}  // namespace cordon::agent
