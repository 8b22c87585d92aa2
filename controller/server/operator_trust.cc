#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/wire/json.h"
#include "common/wire/trust_bundle.h"
#include "controller/server/authorize.h"
#include "controller/server/operator_calls.h"

namespace cordon::controller {
namespace {

constexpr size_t kMaxCsrBytes = 16 * 1024;

const v1::TrustedOperator* Find(const v1::TrustBundle& bundle, std::string_view operator_id) {
  const auto found = std::ranges::find(bundle.operators(), operator_id, &v1::TrustedOperator::operator_id);
  return found == bundle.operators().end() ? nullptr : &*found;
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
  if (!IsUuid(request.operator_id())) return absl::InvalidArgumentError("operator_id is not a UUID");
  if (request.csr_der().empty() || request.csr_der().size() > kMaxCsrBytes) {
    return absl::InvalidArgumentError(
        StrCat("csr_der: ", request.csr_der().size(), " bytes, must be 1 to ", kMaxCsrBytes));
  }
  CORDON_ASSIGN_OR_RETURN(const v1::TrustedOperator person, TrustedCaller(parts, caller));
  // A certificate speaks for its operator in the audit log: nobody gets one for somebody else by himself.
  if (caller.id != request.operator_id() && !HasRole(person, v1::TrustedOperator::ROLE_TRUST)) {
    return absl::PermissionDeniedError("a certificate for another operator needs the role trust");
  }
  CORDON_ASSIGN_OR_RETURN(const v1::TrustBundle bundle, TrustInForce(parts));
  if (Find(bundle, request.operator_id()) == nullptr) {
    return absl::NotFoundError(StrCat("the trust bundle in force (version ", bundle.version(),
                                      ") names no operator ", request.operator_id(),
                                      ": have the change of trust with this operator approved first"));
  }
  CORDON_ASSIGN_OR_RETURN(const IssuedCertificate issued,
                          parts.pki.IssueOperator(request.operator_id(), request.csr_der()));
  CORDON_RETURN_IF_ERROR(parts.store.RecordOperatorCertificate(
      request.operator_id(), {issued.serial_hex, issued.not_before_unix_nanos, issued.not_after_unix_nanos},
      {ActorName(caller), "operator.certificate", StrCat("operator/", request.operator_id()),
       StrCat("serial ", issued.serial_hex, ", until ", FormatTime(issued.not_after_unix_nanos))}));
  response->set_certificate_pem(issued.pem);
  return absl::OkStatus();
}

}  // namespace cordon::controller
