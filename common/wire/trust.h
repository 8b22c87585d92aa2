#pragma once

// The proof that enough of those who may order something did (AUT-3). Pure; no clock, no files.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/repeated_ptr_field.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/crypto/key.h"
#include "common/wire/trust_bundle.h"
#include "cordon/v1/order.pb.h"

namespace cordon {

// How many distinct operators must sign `order` by the bundle in force: the threshold of its class, and for a
// target of the whole group that of ACTION_CLASS_WHOLE_GROUP if it is higher. A change of trust is counted by
// ACTION_CLASS_TRUST alone: it is for all hosts by its nature, and those who can reach the one threshold must
// not be shut out by the other.
uint32_t RequiredSignatures(const v1::Order& order, const v1::TrustBundle& bundle);

// What an operator needs, all of it, to sign `order`: the role of its class, and for a policy that lets hosts
// isolate themselves the one for isolating too.
std::vector<v1::TrustedOperator::Role> RolesFor(const v1::Order& order);

// The first of RolesFor that `person` lacks; UNSPECIFIED: none, a signature of theirs counts.
v1::TrustedOperator::Role LackingRole(const v1::TrustedOperator& person, const v1::Order& order);

struct SignatureCount {
  uint32_t have = 0;    // distinct operators whose good signatures count, with distinct keys
  uint32_t needed = 0;  // of a change of trust: for that one of its two counts that lacks, or needs, more
  std::string lacking;  // a sentence for the operator; empty when there are enough
};

// How far the signatures over an order have come. Fewer than it needs, none, or bad ones are no error: that
// is what is asked. INVALID_ARGUMENT for an order, signatures or a bundle out of bounds, PERMISSION_DENIED
// for an order of another fleet or a new trust bundle that is not above `bundle`.
absl::StatusOr<SignatureCount> CountSignatures(
    std::string_view order_bytes, const google::protobuf::RepeatedPtrField<v1::Signature>& signatures,
    const v1::TrustBundle& bundle);

// OK when `signature` counts for the order by itself: made over exactly these bytes by an operator of
// `bundle` with the roles for its action (RolesFor), or, for a change of trust, by one of either bundle.
// Otherwise the errors of CountSignatures, and PERMISSION_DENIED that says why it counts for nothing.
absl::Status CheckSignature(std::string_view order_bytes, const v1::Signature& signature,
                            const v1::TrustBundle& bundle);

// The order inside, when enough distinct operators of `bundle` with the roles for its action signed exactly
// these bytes, it is of the bundle's fleet and CheckOrder accepts it. Unknown operators, second signatures of
// one operator, missing roles and wrong signatures count for nothing and are told in the error. A new trust
// bundle must besides have a higher version, and the same signatures must be enough by its own operators,
// keys and threshold too.
//   INVALID_ARGUMENT   too large, damaged or out of bounds; nothing was verified
//   PERMISSION_DENIED  another fleet's, or not signed by enough who may
// Does not judge time, target or sequence: the caller has the clock and the state.
absl::StatusOr<v1::Order> VerifyOrder(const v1::SignedOrder& signed_order, const v1::TrustBundle& bundle);

// A change of trust that was accepted once, read back from disk.
struct AcceptedTrust {
  v1::Order order;
  v1::TrustBundle bundle;
};
// Whole, within bounds, and signed by enough of the new bundle's own operators, so that damage is found. The
// bundle that it followed is gone, and is not asked again.
absl::StatusOr<AcceptedTrust> ReadAcceptedTrust(const v1::SignedOrder& signed_order);

// One operator's signature over the exact bytes of a serialised Order.
absl::StatusOr<v1::Signature> SignOrder(std::string_view order_bytes, std::string_view operator_id,
                                        EVP_PKEY& key);

}  // namespace cordon
