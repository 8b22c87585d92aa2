#include "common/crypto/fingerprint.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>

#include "common/base/status.h"
#include "common/crypto/certificate_pem.h"

namespace cordon {

absl::StatusOr<std::string> CertificateSha256(std::string_view pem) {
  CORDON_ASSIGN_OR_RETURN(const auto certificate, FirstCertificate(pem));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (X509_digest(certificate.get(), EVP_sha256(), digest.data(), &size) != 1)
    return OpenSslError("cannot hash a certificate");
  return std::string(reinterpret_cast<const char*>(digest.data()), size);
}

}  // namespace cordon
