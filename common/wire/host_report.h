#pragma once

// What a host may report, on whichever way it comes: on Control and in batches of class CONTROL (AUT-6).
// Pure. INVALID_ARGUMENT names the field and its limit.

#include <absl/status/status.h>

#include <cstddef>

#include "cordon/v1/isolation.pb.h"
#include "cordon/v1/order.pb.h"

namespace cordon {

inline constexpr size_t kMaxReceiptBytes = 128 * 1024;  // with the statement, which says it once more
inline constexpr size_t kMaxOutcomeBytes = 1024 * 1024;

absl::Status CheckReceipt(const v1::Receipt& receipt);

// A host says what it did with an order; PENDING and DELIVERED are the controller's own words.
absl::Status CheckOutcome(const v1::OrderOutcome& outcome);

}  // namespace cordon
