#pragma once

#include "cordon/v1/order.pb.h"

namespace cordon::controller {

// May the outcome of an order on one host go from one state to another? What a host says it did is final;
// what the controller concluded by itself (SUPERSEDED, EXPIRED) yields to the host's late word. Staying in a
// state is no change, but for RUNNING, whose progress moves.
bool MayBecome(v1::OrderOutcome::State from, v1::OrderOutcome::State to);

// No more word is expected from the host.
bool IsFinal(v1::OrderOutcome::State state);

}  // namespace cordon::controller
