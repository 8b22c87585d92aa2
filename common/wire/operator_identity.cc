#include "common/wire/operator_identity.h"

#include "common/base/network.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/crypto/digest.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/pem.h"
#include "common/crypto/x25519.h"
#include "common/crypto/x509.h"

namespace cordon {
namespace {

constexpr std::string_view kLabel = "CORDON OPERATOR";

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(StrCat("operator identity: ", what));
}

absl::Status CheckFields(const v1::OperatorIdentity& identity) {
  if (identity.format() != 1)
    return Bad(StrCat("format ", identity.format(), " is not known to this version"));
  if (!IsUuid(identity.operator_id())) return Bad("no operator id");
  if (!IsPlainText(identity.name(), 200)) return Bad("the name is not plain text of at most 200 bytes");
  if (!IsUuid(identity.fleet_id())) return Bad("no fleet id");
  if (identity.controllers().empty() || identity.controllers_size() > 8)
    return Bad("needs 1 to 8 controllers");
  for (const std::string& controller : identity.controllers()) {
    if (const auto parsed = ParseHostPort(controller); !parsed.ok()) return Bad(Message(parsed.status()));
  }
  if (identity.ca_pem().empty()) return Bad("no CA");
  if (identity.trust_bundle_sha256().size() != kSha256Bytes) return Bad("no trust bundle hash");
  return absl::OkStatus();
}

// What a sealed key is, only its passphrase can tell.
absl::Status CheckMaybeSealed(const std::string& pem,
                              absl::StatusOr<std::string> (*public_half)(const EVP_PKEY&)) {
  if (IsSealedPrivateKey(pem)) return absl::OkStatus();
  CORDON_ASSIGN_OR_RETURN(const KeyPtr key, PrivateKeyFromPem(pem));
  return public_half(*key).status();
}

absl::Status CheckKeys(const v1::OperatorIdentity& identity) {
  CORDON_ASSIGN_OR_RETURN(const KeyPtr tls_key, PrivateKeyFromPem(identity.key_pem()));
  CORDON_RETURN_IF_ERROR(CheckKeyMatches(identity.certificate_pem(), *tls_key));
  CORDON_ASSIGN_OR_RETURN(const CertificateInfo info, ReadCertificate(identity.certificate_pem()));
  if (info.identity.kind != IdentityKind::kOperator || info.identity.id != identity.operator_id()) {
    return absl::InvalidArgumentError("the certificate is not this operator's");
  }
  CORDON_RETURN_IF_ERROR(CheckMaybeSealed(identity.signing_key_pem(), RawPublicKey));
  if (identity.unlock_key_pem().empty())
    return absl::OkStatus();  // of an identity that was made before there was one
  return Annotate(CheckMaybeSealed(identity.unlock_key_pem(), RawX25519PublicKey), "the unlock key");
}

}  // namespace

std::string WriteOperatorIdentity(const v1::OperatorIdentity& identity) {
  return PemArmour(kLabel, identity.SerializeAsString());
}

absl::StatusOr<v1::OperatorIdentity> ReadOperatorIdentity(std::string_view text) {
  const absl::StatusOr<std::string> bytes = PemUnarmour(kLabel, text, kMaxOperatorIdentityBytes);
  if (!bytes.ok()) return Annotate(bytes.status(), "operator identity");
  v1::OperatorIdentity identity;
  if (!identity.ParseFromString(*bytes)) return Bad("the content of the armour is damaged");
  CORDON_RETURN_IF_ERROR(CheckFields(identity));
  CORDON_RETURN_IF_ERROR(Annotate(CheckKeys(identity), "operator identity"));
  return identity;
}

}  // namespace cordon
