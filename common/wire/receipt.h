#pragma once

// Signed receipts (ISO-7): what a host says of itself, so that nobody in between can make it say more. Layout
// in docs/protocol.md.

#include <absl/status/statusor.h>

#include <string_view>

#include "common/crypto/key.h"
#include "cordon/v1/isolation.pb.h"

namespace cordon {

// Sets host_id, statement and signature of `receipt`.
absl::Status SignReceipt(EVP_PKEY& key, std::string_view host_id, v1::Receipt* receipt);

// What the host `host_id` signed, read from the statement and from nothing else. PERMISSION_DENIED, with a
// sentence for an operator: not signed; the certificate is not this host's or not of the CA; the signature is
// of another key or over other bytes; the statement is another host's. The times of the certificate are not
// judged: a host that was away for long still says what it enforces, and the receipt says when.
absl::StatusOr<v1::Receipt> VerifyReceipt(const v1::Receipt& receipt, std::string_view host_id,
                                          std::string_view certificate_pem, std::string_view ca_pem);

}  // namespace cordon
