#include "controller/keys/operator_keys.h"

#include "common/base/status.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/x25519.h"
#include "controller/keys/passphrase.h"

namespace cordon::controller {

absl::StatusOr<OperatorKeys> NewOperatorKeys() {
  OperatorKeys keys;
  CORDON_ASSIGN_OR_RETURN(keys.tls, NewTlsKey());
  CORDON_ASSIGN_OR_RETURN(keys.signing, NewSigningKey());
  CORDON_ASSIGN_OR_RETURN(keys.unlock, NewX25519Key());
  return keys;
}

absl::Status PutKeys(const OperatorKeys& keys, const std::string& passphrase,
                     v1::OperatorIdentity* identity) {
  CORDON_ASSIGN_OR_RETURN(*identity->mutable_key_pem(), PrivateKeyToPem(*keys.tls));
  CORDON_ASSIGN_OR_RETURN(*identity->mutable_signing_key_pem(), KeyText(*keys.signing, passphrase));
  CORDON_ASSIGN_OR_RETURN(*identity->mutable_unlock_key_pem(), KeyText(*keys.unlock, passphrase));
  return absl::OkStatus();
}

absl::StatusOr<v1::TrustedOperator> Trusted(const std::string& operator_id, const std::string& name,
                                            const OperatorKeys& keys) {
  v1::TrustedOperator trusted;
  trusted.set_operator_id(operator_id);
  trusted.set_name(name);
  CORDON_ASSIGN_OR_RETURN(*trusted.mutable_ed25519_public_key(), RawPublicKey(*keys.signing));
  CORDON_ASSIGN_OR_RETURN(*trusted.mutable_unlock_public_key(), RawX25519PublicKey(*keys.unlock));
  return trusted;
}

}  // namespace cordon::controller
