#pragma once

// The lifeline rule (AUT-3): a site keeps some hosts that no single person can close. Pure.

#include <absl/status/status.h>

#include <string_view>

#include "common/wire/order.h"
#include "cordon/v1/order.pb.h"

namespace cordon {

// The lifeline that holds the host: one of its own site, with the host among the first of its roster. Nothing
// when there is none.
const v1::Lifeline* FindLifeline(const v1::TrustBundle& bundle, const HostTraits& host);

// The highest level to which the order closes hosts: at once, or by what its policy lets them take by
// themselves. UNSPECIFIED: it closes none.
v1::Level ClosesTo(const v1::Order& order);

// OK unless `order`, which VerifyOrder gave for `signed_order` and `bundle`, closes the host above the level
// of its lifeline, now or by its policy, with too few signatures: PERMISSION_DENIED, with a sentence for the
// operator. Nothing else closes a host, and an order's lease and fallback only ever lead to lower levels.
absl::Status CheckLifeline(const v1::Order& order, const v1::SignedOrder& signed_order,
                           const v1::TrustBundle& bundle, const HostTraits& host);

}  // namespace cordon
