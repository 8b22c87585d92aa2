#pragma once

// Whom the operator's tool trusts (AUT-3): the bundle that the identity file pins by hash, and what follows
// from it. The controller only hands the chain over; nothing in it is believed that is not signed.

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cordon/v1/operator.pb.h"
#include "cordon/v1/order.pb.h"

namespace cordon::ctl {

struct TrustPin {
  std::string sha256;    // over SignedTrustBundle.bundle
  uint64_t version = 0;  // 0: an identity from before it was kept
  friend bool operator==(const TrustPin&, const TrustPin&) = default;
};

struct FollowedTrust {
  v1::TrustBundle bundle;  // in force
  TrustPin pin;            // of it
};

// The orders that put each bundle above a version in force, oldest first, as Operator.GetTrustHistory gives
// them: some at a time, none when that was all.
using TrustHistory = std::function<absl::StatusOr<std::vector<v1::SignedOrder>>(uint64_t after_version)>;

// The bundle in force, from the pinned one on: `current` when that is the pinned one, else the end of the
// chain, each step of which is verified by the bundle before it, as hosts do. PERMISSION_DENIED when the
// controller does not know the pinned bundle, or a step is not what it must be.
absl::StatusOr<FollowedTrust> FollowTrust(const TrustPin& pin, const v1::SignedTrustBundle& current,
                                          const TrustHistory& history);

// Sets the pin of `trust` in the identity, and the CAs that it names, if any; the rest of it stays as it is.
void PinTrust(const FollowedTrust& trust, v1::OperatorIdentity* identity);
// The same in the identity file.
absl::Status PinTrust(const std::string& identity_path, const FollowedTrust& trust);

}  // namespace cordon::ctl
