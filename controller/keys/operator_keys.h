#pragma once

// An operator's three private keys, made where the operator is (AUT-3): for TLS, for signing orders, and for
// answering unlock challenges (AUT-5). The last two are sealed with a passphrase.

#include <absl/status/statusor.h>

#include <string>

#include "common/crypto/key.h"
#include "cordon/v1/operator.pb.h"

namespace cordon::controller {

struct OperatorKeys {
  KeyPtr tls;
  KeyPtr signing;
  KeyPtr unlock;
};

absl::StatusOr<OperatorKeys> NewOperatorKeys();

// Writes the private keys into `identity`, signing and unlock key sealed unless the passphrase is empty.
absl::Status PutKeys(const OperatorKeys& keys, const std::string& passphrase, v1::OperatorIdentity* identity);

// The operator as a trust bundle names it, without roles.
absl::StatusOr<v1::TrustedOperator> Trusted(const std::string& operator_id, const std::string& name,
                                            const OperatorKeys& keys);

}  // namespace cordon::controller
