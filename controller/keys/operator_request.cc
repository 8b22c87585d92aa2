#include "controller/keys/operator_request.h"

#include <string_view>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/x509.h"

namespace cordon::controller {
namespace {

constexpr std::string_view kDomain = "cordon-operator-request-v1";
constexpr size_t kMaxNameBytes = 100;  // as much as a trust bundle takes
constexpr size_t kMaxCsrBytes = 16 * 1024;
constexpr size_t kUnlockKeyBytes = 32;

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(std::string(what));
}

std::string Unproven(v1::OperatorRequest request) {
  request.clear_proof();
  return request.SerializeAsString();
}

absl::Status Prove(EVP_PKEY& signing, EVP_PKEY& tls, v1::OperatorRequest* request) {
  CORDON_ASSIGN_OR_RETURN(*request->mutable_ed25519_public_key(), RawPublicKey(signing));
  CORDON_ASSIGN_OR_RETURN(*request->mutable_csr_der(), MakeCsrDer(tls));
  CORDON_ASSIGN_OR_RETURN(*request->mutable_proof(), Sign(kDomain, Unproven(*request), signing));
  return CheckRequest(*request);
}

v1::OperatorRequest Unsigned(const std::string& operator_id, const std::string& name, int64_t now) {
  v1::OperatorRequest request;
  request.set_format(1);
  request.set_operator_id(operator_id);
  request.set_name(name);
  request.set_made_unix_nanos(now);
  return request;
}

}  // namespace

absl::StatusOr<v1::OperatorRequest> MakeRequest(const std::string& operator_id, const std::string& name,
                                                const OperatorKeys& keys, int64_t now) {
  CORDON_ASSIGN_OR_RETURN(const v1::TrustedOperator trusted, Trusted(operator_id, name, keys));
  v1::OperatorRequest request = Unsigned(operator_id, name, now);
  request.set_unlock_public_key(trusted.unlock_public_key());
  CORDON_RETURN_IF_ERROR(Prove(*keys.signing, *keys.tls, &request));
  return request;
}

absl::StatusOr<v1::OperatorRequest> MakeRenewal(const v1::OperatorIdentity& identity, EVP_PKEY& signing,
                                                EVP_PKEY& new_tls, int64_t now) {
  v1::OperatorRequest request = Unsigned(identity.operator_id(), identity.name(), now);
  CORDON_RETURN_IF_ERROR(Prove(signing, new_tls, &request));
  return request;
}

absl::Status CheckRequest(const v1::OperatorRequest& request) {
  if (request.format() != 1) return Bad(StrCat("format ", request.format(), " is not known to this version"));
  if (!IsUuid(request.operator_id())) return Bad("operator_id is not a UUID");
  if (request.name().empty() || !IsPlainText(request.name(), kMaxNameBytes)) {
    return Bad(StrCat("the name is not plain text of 1 to ", kMaxNameBytes, " bytes"));
  }
  if (!request.unlock_public_key().empty() && request.unlock_public_key().size() != kUnlockKeyBytes) {
    return Bad(StrCat("the unlock key is not ", kUnlockKeyBytes, " bytes"));
  }
  if (request.csr_der().empty() || request.csr_der().size() > kMaxCsrBytes) {
    return Bad(StrCat("csr_der: ", request.csr_der().size(), " bytes of certificate request, must be 1 to ",
                      kMaxCsrBytes));
  }
  if (request.made_unix_nanos() <= 0) {
    return Bad("it does not say when it was made, as those of an older cordonctl: have it made anew");
  }
  if (!Verify(kDomain, Unproven(request), request.proof(), request.ed25519_public_key())) {
    return Bad("it is not signed by the key in it: it was altered, or is not whole");
  }
  return absl::OkStatus();
}

absl::Status CheckRequestTime(const v1::OperatorRequest& request, int64_t now) {
  // As differences: sums of times that somebody sent could overflow. Neither is negative.
  if (request.made_unix_nanos() - now > kMaxRequestAheadNanos) {
    return Bad(StrCat("it is dated ", FormatTime(request.made_unix_nanos()), ", more than ",
                      FormatDuration(kMaxRequestAheadNanos),
                      " ahead: set the clock where it was made, and have it made anew"));
  }
  if (now - request.made_unix_nanos() >= kRequestNanos) {
    return absl::FailedPreconditionError(
        StrCat("it was made on ", FormatTime(request.made_unix_nanos()),
               ", and a certificate for it would have ended: have it made anew"));
  }
  return absl::OkStatus();
}

}  // namespace cordon::controller
