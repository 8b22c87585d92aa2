#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/wire/order.h"
#include "cordon/v1/order.pb.h"

namespace cordon::agent {

struct Refusal {
  v1::OrderOutcome::State state;
  std::string message;
};

// Why a verified order has no business on this host now; nothing when it has. Pure.
std::optional<Refusal> CheckForHost(const v1::Order& order, const HostTraits& host, int64_t now_unix_nanos,
                                    int64_t slack_nanos);

// What a lane says to an order (ISO-9).
enum class LaneAnswer { kNewer, kSame, kOlder };
LaneAnswer CompareWithLane(const v1::Order& order, uint64_t lane_sequence, const std::string& lane_order_id);

// What an order that failed so becomes. REFUSED: nothing has changed, and trying the same again would not
// help. FAILED: it should have worked.
v1::OrderOutcome::State StateOf(const absl::Status& status);

// A name for the id of an order that nobody has verified: the id it claims when that is a UUID, else empty.
std::string ClaimedOrderId(const v1::SignedOrder& signed_order);

}  // namespace cordon::agent
