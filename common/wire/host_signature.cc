#include "common/wire/host_signature.h"

#include <string>

#include "common/base/status.h"
#include "common/crypto/ecdsa.h"
#include "common/crypto/x509.h"

namespace cordon {

// ISO-7, AUT-2: the certificate is issued by the fleet's CA, and for this host.
absl::Status VerifyHostSignature(const HostSignature& signature, std::string_view what,
                                 std::string_view host_id, std::string_view certificate_pem,
                                 std::string_view ca_pem) {
  const auto unverified = [&](std::string_view why) {
    return absl::PermissionDeniedError(StrCat(what, " is not verified: ", why));
  };
  if (signature.signature.empty()) return unverified("the host did not sign it");
  if (certificate_pem.empty()) return unverified("the controller has no certificate of the host");
  const absl::StatusOr<CertificateInfo> info = ReadCertificate(certificate_pem);
  if (!info.ok()) return unverified(Message(info.status()));
  if (info->identity.kind != IdentityKind::kHost || info->identity.id != host_id) {
    return unverified("the certificate that comes with it is of somebody else");
  }
  const absl::Status issued = CheckCertificate(certificate_pem, ca_pem, info->not_before_unix_nanos);
  if (!issued.ok()) return unverified(Message(issued));
  if (!VerifyEcdsa(signature.domain, signature.statement, signature.signature, certificate_pem)) {
    return unverified("its signature is not by the host's key, or it was changed on the way");
  }
  return absl::OkStatus();
}

}  // namespace cordon
