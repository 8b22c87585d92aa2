#include "common/wire/receipt.h"

#include <string>
#include <utility>

#include "common/base/status.h"
#include "common/crypto/ecdsa.h"
#include "common/crypto/x509.h"

namespace cordon {
namespace {

absl::Status Unverified(std::string_view why) {
  return absl::PermissionDeniedError(StrCat("the receipt is not verified: ", why));
}

// ISO-7, AUT-2: the certificate is issued by the fleet's CA, and for this host.
absl::Status CheckIsHosts(std::string_view host_id, std::string_view certificate_pem,
                          std::string_view ca_pem) {
  if (certificate_pem.empty()) return Unverified("the controller has no certificate of the host");
  const absl::StatusOr<CertificateInfo> info = ReadCertificate(certificate_pem);
  if (!info.ok()) return Unverified(Message(info.status()));
  if (info->identity.kind != IdentityKind::kHost || info->identity.id != host_id) {
    return Unverified("the certificate that comes with it is of somebody else");
  }
  const absl::Status issued = CheckCertificate(certificate_pem, ca_pem, info->not_before_unix_nanos);
  return issued.ok() ? issued : Unverified(Message(issued));
}

}  // namespace

absl::Status SignReceipt(EVP_PKEY& key, std::string_view host_id, v1::Receipt* receipt) {
  receipt->clear_signature();
  receipt->clear_statement();
  receipt->set_host_id(std::string(host_id));
  std::string statement = receipt->SerializeAsString();
  CORDON_ASSIGN_OR_RETURN(std::string signature, SignEcdsa(kReceiptDomain, statement, key));
  receipt->set_statement(std::move(statement));
  receipt->set_signature(std::move(signature));
  return absl::OkStatus();
}

absl::StatusOr<v1::Receipt> VerifyReceipt(const v1::Receipt& receipt, std::string_view host_id,
                                          std::string_view certificate_pem, std::string_view ca_pem) {
  if (receipt.signature().empty()) return Unverified("the host did not sign it");
  CORDON_RETURN_IF_ERROR(CheckIsHosts(host_id, certificate_pem, ca_pem));
  if (!VerifyEcdsa(kReceiptDomain, receipt.statement(), receipt.signature(), certificate_pem)) {
    return Unverified("its signature is not by the host's key, or it was changed on the way");
  }
  v1::Receipt said;
  if (!said.ParseFromString(receipt.statement())) return Unverified("its statement cannot be read");
  if (said.host_id() != host_id) return Unverified("it is another host's");
  return said;
}

}  // namespace cordon
