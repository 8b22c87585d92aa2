#pragma once

// Who may order what, and the proof that they did (AUT-3). Pure; no clock, no files.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "common/crypto/key.h"
#include "cordon/v1/order.pb.h"

namespace cordon {

inline constexpr int kMaxSignatures = 16;
inline constexpr int kMaxOperators = 1'000;
inline constexpr size_t kMaxTrustBundleBytes = 1024 * 1024;

// OK when `bundle` is whole: a fleet, a version, operators with distinct ids and distinct keys, thresholds of
// 1 to 16 that its own operators can reach. INVALID_ARGUMENT names the field.
absl::Status CheckTrustBundle(const v1::TrustBundle& bundle);

// The bundle inside, within its bounds. Looks at no signature and no hash.
absl::StatusOr<v1::TrustBundle> ParseTrustBundle(const v1::SignedTrustBundle& signed_bundle);

// The bundle inside, when its bytes are those that were pinned (AUT-1). PERMISSION_DENIED when they are not.
absl::StatusOr<v1::TrustBundle> VerifyTrustBundleHash(const v1::SignedTrustBundle& signed_bundle,
                                                      std::string_view pinned_sha256);

// How many distinct operators must sign `order`: the threshold of its class, and for a target of the whole
// group that of ACTION_CLASS_WHOLE_GROUP if it is higher.
uint32_t RequiredSignatures(const v1::Order& order, const v1::TrustBundle& bundle);

// The order inside, when enough distinct operators of `bundle` with the role for its action signed exactly
// these bytes, it is of the bundle's fleet and CheckOrder accepts it. Unknown operators, second signatures of
// one operator, missing roles and wrong signatures count for nothing and are told in the error. A new trust
// bundle must besides have a higher version and be signed by enough of its own operators.
//   INVALID_ARGUMENT   too large, damaged or out of bounds; nothing was verified
//   PERMISSION_DENIED  another fleet's, or not signed by enough who may
// Does not judge time, target or sequence: the caller has the clock and the state.
absl::StatusOr<v1::Order> VerifyOrder(const v1::SignedOrder& signed_order, const v1::TrustBundle& bundle);

// One operator's signature over the exact bytes of a serialised Order.
absl::StatusOr<v1::Signature> SignOrder(std::string_view order_bytes, std::string_view operator_id,
                                        EVP_PKEY& key);

}  // namespace cordon
