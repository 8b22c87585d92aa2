#pragma once

// What a host says of itself, signed, so that nobody in between can make it say more. Layouts in
// docs/protocol.md.

#include <absl/status/status.h>

#include <string_view>

namespace cordon {

struct HostSignature {
  std::string_view domain;     // as in common/crypto/ecdsa.h
  std::string_view statement;  // the bytes that are signed
  std::string_view signature;
};

// OK when the host `host_id` signed the statement. PERMISSION_DENIED, with a sentence for an operator that
// begins with `what` ("the receipt"): not signed; the certificate is not this host's or not of the CA; the
// signature is of another key or over other bytes. The times of the certificate are not judged: a host that
// was away for long still says what is, and its statement says when.
absl::Status VerifyHostSignature(const HostSignature& signature, std::string_view what,
                                 std::string_view host_id, std::string_view certificate_pem,
                                 std::string_view ca_pem);

}  // namespace cordon
