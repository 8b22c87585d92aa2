#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/wire/json.h"
#include "common/wire/trust_bundle.h"
#include "controller/keys/operator_request.h"
#include "controller/server/authorize.h"
#include "controller/server/operator_calls.h"

namespace cordon::controller {
namespace {

// cordonctl refuses what the CA would.
static_assert(kRequestNanos == kOperatorCertificateNanos);

const v1::TrustedOperator* Find(const v1::TrustBundle& bundle, std::string_view operator_id) {
  const auto found = std::ranges::find(bundle.operators(), operator_id, &v1::TrustedOperator::operator_id);
  return found == bundle.operators().end() ? nullptr : &*found;
}

// A certificate speaks for its operator. Neither a role nor that operator's own certificate gets another one:
// who has the signing key does, and nobody else (decision 0045).
absl::Status CheckSignedByItsOperator(const v1::TrustBundle& bundle, const v1::OperatorRequest& request) {
  const v1::TrustedOperator* const person = Find(bundle, request.operator_id());
  if (person == nullptr) {
    return absl::NotFoundError(StrCat("the trust bundle in force (version ", bundle.version(),
                                      ") names no operator ", request.operator_id(),
                                      ": have the change of trust with this operator approved first"));
  }
  if (person->ed25519_public_key() == request.ed25519_public_key()) return absl::OkStatus();
  return absl::PermissionDeniedError(
      StrCat("the request is not signed by the key that the trust bundle in force (version ",
             bundle.version(), ") names for operator ", request.operator_id(),
             ": only the operator can ask, with the signing key that is in force"));
}

}  // namespace

absl::StatusOr<v1::TrustBundle> TrustInForce(ServerParts& parts) {
  CORDON_ASSIGN_OR_RETURN(const Fleet fleet, parts.store.GetFleet());
  return ParseTrustBundle(fleet.trust_bundle);
}

absl::StatusOr<v1::TrustedOperator> TrustedCaller(ServerParts& parts, const Identity& caller) {
  CORDON_ASSIGN_OR_RETURN(const v1::TrustBundle bundle, TrustInForce(parts));
  if (const v1::TrustedOperator* const person = Find(bundle, caller.id)) return *person;
  return absl::PermissionDeniedError(
      StrCat("operator ", caller.id, " is not in the trust bundle in force (version ", bundle.version(),
             "): those who are not may look, and change nothing"));
}

absl::Status CheckCallerMay(ServerParts& parts, const Identity& caller, v1::TrustedOperator::Role role) {
  CORDON_ASSIGN_OR_RETURN(const v1::TrustedOperator person, TrustedCaller(parts, caller));
  if (HasRole(person, role)) return absl::OkStatus();
  return absl::PermissionDeniedError(StrCat("operator ", caller.id, " lacks the role ", WordOf(role),
                                            ", which this needs: ask somebody who has it"));
}

absl::Status GetTrustHistory(ServerParts& parts, const v1::GetTrustHistoryRequest& request,
                             v1::GetTrustHistoryResponse* response) {
  CORDON_ASSIGN_OR_RETURN(std::vector<v1::SignedOrder> orders,
                          parts.store.TrustHistory(request.after_version()));
  for (v1::SignedOrder& order : orders) *response->add_orders() = std::move(order);
  return absl::OkStatus();
}

absl::Status IssueOperatorCertificate(ServerParts& parts, const Identity& caller,
                                      const v1::IssueOperatorCertificateRequest& request,
                                      v1::IssueOperatorCertificateResponse* response) {
  if (!request.has_request()) {
    return absl::InvalidArgumentError(
        "request is missing: a certificate is issued for what its operator signed; use a cordonctl as new as "
        "this controller");
  }
  const v1::OperatorRequest& asked = request.request();
  CORDON_RETURN_IF_ERROR(Annotate(CheckRequest(asked), "request"));
  CORDON_RETURN_IF_ERROR(Annotate(CheckRequestTime(asked, parts.clock.WallNanos()), "request"));
  CORDON_ASSIGN_OR_RETURN(const v1::TrustedOperator person, TrustedCaller(parts, caller));
  if (caller.id != asked.operator_id() && !HasRole(person, v1::TrustedOperator::ROLE_TRUST)) {
    return absl::PermissionDeniedError("a certificate for another operator needs the role trust");
  }
  CORDON_ASSIGN_OR_RETURN(const v1::TrustBundle bundle, TrustInForce(parts));
  CORDON_RETURN_IF_ERROR(CheckSignedByItsOperator(bundle, asked));
  CORDON_ASSIGN_OR_RETURN(
      const IssuedCertificate issued,
      parts.pki.IssueOperator(asked.operator_id(), asked.csr_der(), asked.made_unix_nanos()));
  CORDON_RETURN_IF_ERROR(parts.store.RecordOperatorCertificate(
      asked.operator_id(), {issued.serial_hex, issued.not_before_unix_nanos, issued.not_after_unix_nanos},
      {ActorName(caller), "operator.certificate", StrCat("operator/", asked.operator_id()),
       StrCat("serial ", issued.serial_hex, ", until ", FormatTime(issued.not_after_unix_nanos))}));
  response->set_certificate_pem(issued.pem);
  return absl::OkStatus();
}

}  // namespace cordon::controller
