#pragma once

// An order that needs more signatures than it came with (AUT-3): telling of it, and waiting for its end.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "controller/cordonctl/tool.h"

namespace cordon::ctl {

// How far an order has come.
struct Standing {
  uint32_t hosts = 0;
  uint32_t signatures = 0;
  uint32_t signatures_needed = 0;

  bool IsProposal() const { return signatures_needed > signatures; }
};

// Says that `signed_order` waits for signatures, who can give one, and how.
void ShowProposal(Tool& tool, const v1::SignedOrder& signed_order, const v1::Order& order,
                  const Standing& standing);

// Asks the controller until the order is no open proposal any more, or for `timeout_nanos` (0 = without end),
// through restarts of the controller. The order as it is then: still OPEN when time ran out.
absl::StatusOr<v1::GetOrderResponse> AwaitSignatures(const Tool& tool, const Client& client,
                                                     const std::string& order_id, int64_t timeout_nanos);

// For --wait and `orders watch`: AwaitSignatures, then the outcomes of every host, in `timeout_nanos` in all.
// kNeedsSignatures when time ran out before it had them; kFailed, with a sentence, when it was withdrawn or
// expired. `known`: the order, when this tool has made or read it; else it is what the controller shows.
absl::StatusOr<ExitCode> FollowOrder(const Tool& tool, const Client& client, const std::string& order_id,
                                     int64_t timeout_nanos, const v1::Order* known = nullptr);

}  // namespace cordon::ctl
