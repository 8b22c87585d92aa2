#include "common/crypto/certificate_pem.h"

#include <openssl/bio.h>
#include <openssl/pem.h>

namespace cordon {

absl::StatusOr<OpenSslPtr<X509, X509_free>> FirstCertificate(std::string_view pem) {
  if (pem.size() > 64 * 1024) return absl::InvalidArgumentError("a certificate is longer than 64 KiB");
  const OpenSslPtr<BIO, BIO_free_all> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  OpenSslPtr<X509, X509_free> certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)
                                              : nullptr);
  if (!certificate) {
    ClearOpenSslErrors();
    return absl::InvalidArgumentError("not a certificate in PEM form");
  }
  return certificate;
}

}  // namespace cordon
