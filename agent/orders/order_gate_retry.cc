// Orders that failed for what may pass, tried again.

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/orders/order_checks.h"
#include "agent/orders/order_gate.h"
#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {
namespace {

constexpr int64_t kFirstDelay = 2 * kNanosPerSecond;
constexpr int64_t kLongestDelay = 60 * kNanosPerSecond;

}  // namespace

void OrderGate::FailForNow(const v1::Order& order, const v1::SignedOrder& signed_order,
                           std::string_view message) {
  if (RetryAbove(order) != nullptr) {
    Tell(MakeOutcome(order.order_id(), v1::OrderOutcome::STATE_FAILED,
                     StrCat(message, "; a newer one is tried again")));
    return;
  }
  Retry& retry = retries_[std::string(LaneOf(order))];
  const bool again = retry.order.order() == signed_order.order();
  retry.order = signed_order;
  retry.sequence = order.sequence();
  retry.order_id = order.order_id();
  if (!again) retry.times_by_itself = parts_.handler.TimesIsolatedByItself();
  retry.delay_nanos = again ? std::min(2 * retry.delay_nanos, kLongestDelay) : kFirstDelay;
  retry.due_boot_nanos = parts_.clock.BootNanos() + retry.delay_nanos;
  const v1::OrderOutcome outcome = MakeOutcome(order.order_id(), v1::OrderOutcome::STATE_FAILED,
                                               StrCat(message, "; it is tried again by itself"));
  if (again) {
    spdlog::warn("order {}: {}", order.order_id(), Printable(message));
    parts_.on_outcome(outcome);
  } else {
    Tell(outcome);
  }
}

const OrderGate::Retry* OrderGate::RetryAbove(const v1::Order& order) const {
  const auto retry = retries_.find(LaneOf(order));
  return retry != retries_.end() && retry->second.sequence > order.sequence() ? &retry->second : nullptr;
}

void OrderGate::ForgetRetries(const v1::Order& order) {
  const auto retry = retries_.find(LaneOf(order));
  if (retry != retries_.end() && retry->second.sequence <= order.sequence()) retries_.erase(retry);
}

v1::LaneState OrderGate::LaneOfRetry(std::string_view lane) {
  return lane == kTrustLane ? trust_.Lane() : parts_.handler.IsolationLane();
}

// Whoever gave the order did not know that the host would isolate itself.
bool OrderGate::WouldOpenWhatIsNewer(const v1::Order& order, const Retry& retry) const {
  if (LaneOf(order) != kIsolationLane || parts_.handler.TimesIsolatedByItself() == retry.times_by_itself)
    return false;
  const v1::Level level = order.has_isolate() ? order.isolate().level() : v1::LEVEL_OBSERVE;
  return level < parts_.handler.LevelMeant();
}

void OrderGate::Tick() {
  std::vector<Retry> due;
  for (const auto& [lane, retry] : retries_) {
    if (parts_.clock.BootNanos() >= retry.due_boot_nanos) due.push_back(retry);
  }
  for (const Retry& retry : due) {
    const v1::SignedOrder& signed_order = retry.order;
    const absl::StatusOr<v1::Order> order = Verify(signed_order);
    const auto forget = [&](std::string_view why) {
      std::erase_if(retries_,
                    [&](const auto& entry) { return entry.second.order.order() == signed_order.order(); });
      spdlog::info("an order that failed is not tried again: {}", why);
    };
    if (!order.ok()) {
      forget(Printable(Message(order.status())));
      continue;
    }
    const v1::LaneState lane = LaneOfRetry(LaneOf(*order));
    const auto refusal = CheckForHost(*order, host_, parts_.clock.WallNanos(), kClockSlackNanos);
    if (refusal.has_value()) {
      forget(Printable(refusal->message));
    } else if (CompareWithLane(*order, lane.sequence(), lane.order_id()) != LaneAnswer::kNewer) {
      forget("a newer one came first");
    } else if (WouldOpenWhatIsNewer(*order, retry)) {
      constexpr std::string_view kWhy = "the host has isolated itself since this order failed; give it anew";
      forget(kWhy);
      Tell(MakeOutcome(order->order_id(), v1::OrderOutcome::STATE_REFUSED, kWhy));
    } else {
      HandleVerified(*order, signed_order);
    }
  }
}

}  // namespace cordon::agent
