#pragma once

#include <string_view>

#include "cordon/v1/order.pb.h"

namespace cordon::controller {

// May the outcome of an order on one host go from one state to another? What a host says it did is final;
// what the controller concluded by itself (SUPERSEDED, EXPIRED) yields to the host's late word. Hosts try
// isolations and changes of trust again that failed, and may yet say that one is done. Staying in a state is
// no change, but for RUNNING, whose progress moves.
bool MayBecome(std::string_view lane, v1::OrderOutcome::State from, v1::OrderOutcome::State to);

// No more word is expected from the host.
bool IsFinal(v1::OrderOutcome::State state);

}  // namespace cordon::controller
