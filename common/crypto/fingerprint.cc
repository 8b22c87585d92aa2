#include "common/crypto/fingerprint.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>

#include "common/crypto/openssl_error.h"

namespace cordon {

absl::StatusOr<std::string> CertificateSha256(std::string_view pem) {
  if (pem.size() > 64 * 1024) return absl::InvalidArgumentError("a certificate is longer than 64 KiB");
  const OpenSslPtr<BIO, BIO_free_all> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const OpenSslPtr<X509, X509_free> certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)
                                                    : nullptr);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (!certificate || X509_digest(certificate.get(), EVP_sha256(), digest.data(), &size) != 1) {
    ClearOpenSslErrors();
    return absl::InvalidArgumentError("not a certificate in PEM form");
  }
  return std::string(reinterpret_cast<const char*>(digest.data()), size);
}

}  // namespace cordon
