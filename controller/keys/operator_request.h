#pragma once

// What an operator's TLS certificate is issued for (AUT-3): a request that the operator's own signing key
// signed. It travels in a file when somebody becomes an operator, and straight to the controller when a
// certificate is renewed; the controller issues nothing without one (decision 0045).

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "controller/keys/operator_keys.h"

namespace cordon::controller {

// A certificate lasts so long from when its request was made, whenever it is issued: showing a request again
// makes nobody's certificate last longer.
inline constexpr int64_t kRequestNanos = 365LL * 24 * 3600 * kNanosPerSecond;
// How far ahead of ours the clock of the one who asks may be.
inline constexpr int64_t kMaxRequestAheadNanos = 3600 * kNanosPerSecond;

// A request for the public halves of `keys`, which proves that its maker has the signing key.
// INVALID_ARGUMENT: a name that is none.
absl::StatusOr<v1::OperatorRequest> MakeRequest(const std::string& operator_id, const std::string& name,
                                                const OperatorKeys& keys, int64_t now_unix_nanos);

// A request of somebody who is an operator already, for a certificate alone. It names no unlock key.
absl::StatusOr<v1::OperatorRequest> MakeRenewal(const v1::OperatorIdentity& identity, EVP_PKEY& signing,
                                                EVP_PKEY& new_tls, int64_t now_unix_nanos);

// Bounds, and the proof. INVALID_ARGUMENT names what is wrong. Says nothing of whose key it is.
absl::Status CheckRequest(const v1::OperatorRequest& request);

// Whether a certificate can be issued for it now. INVALID_ARGUMENT: it is dated more than an hour ahead.
// FAILED_PRECONDITION: the certificate would have ended.
absl::Status CheckRequestTime(const v1::OperatorRequest& request, int64_t now_unix_nanos);

}  // namespace cordon::controller
