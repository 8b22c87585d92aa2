#include "controller/store/outcome.h"

#include "common/wire/order.h"

namespace cordon::controller {
namespace {

using v1::OrderOutcome;

// How far along a state is. Only a higher stage follows a lower one.
int Stage(OrderOutcome::State state) {
  switch (state) {
    case OrderOutcome::STATE_PENDING:
      return 1;
    case OrderOutcome::STATE_DELIVERED:
      return 2;
    case OrderOutcome::STATE_SUPERSEDED:
    case OrderOutcome::STATE_EXPIRED:
      return 3;  // concluded, perhaps without knowing what the host did meanwhile
    case OrderOutcome::STATE_RUNNING:
    case OrderOutcome::STATE_GOING_DARK:
      return 4;
    case OrderOutcome::STATE_DONE:
    case OrderOutcome::STATE_REFUSED:
    case OrderOutcome::STATE_FAILED:
    case OrderOutcome::STATE_CANCELLED:
      return 5;
    default:
      return 0;
  }
}

}  // namespace

bool MayBecome(std::string_view lane, OrderOutcome::State from, OrderOutcome::State to) {
  if (Stage(from) == 0 || Stage(to) == 0) return false;
  // Of a change of trust that was refused out of turn, and sent again in turn.
  if (from == OrderOutcome::STATE_REFUSED) return to == OrderOutcome::STATE_DONE;
  if (from == OrderOutcome::STATE_FAILED && (lane == kIsolationLane || lane == kTrustLane))
    return to == OrderOutcome::STATE_DONE;
  // Its last word was none: what became of it comes when it is reached again.
  if (from == OrderOutcome::STATE_GOING_DARK) return IsFinal(to) && to != OrderOutcome::STATE_EXPIRED;
  if (from == OrderOutcome::STATE_RUNNING) return to != from ? Stage(to) > Stage(from) : true;
  return Stage(to) > Stage(from);
}

bool IsFinal(OrderOutcome::State state) {
  return Stage(state) == 3 || Stage(state) == 5;
}

}  // namespace cordon::controller
