#include "common/wire/receipt.h"

#include <string>
#include <utility>

#include "common/base/status.h"
#include "common/crypto/ecdsa.h"
#include "common/wire/host_signature.h"

namespace cordon {
namespace {

absl::Status Unverified(std::string_view why) {
  return absl::PermissionDeniedError(StrCat("the receipt is not verified: ", why));
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
  CORDON_RETURN_IF_ERROR(VerifyHostSignature(
      {.domain = kReceiptDomain, .statement = receipt.statement(), .signature = receipt.signature()},
      "the receipt", host_id, certificate_pem, ca_pem));
  v1::Receipt said;
  if (!said.ParseFromString(receipt.statement())) return Unverified("its statement cannot be read");
  if (said.host_id() != host_id) return Unverified("it is another host's");
  return said;
}

}  // namespace cordon
