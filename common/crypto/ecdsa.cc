#include "common/crypto/ecdsa.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/base/strings.h"

namespace cordon {
namespace {

using BioPtr = OpenSslPtr<BIO, BIO_free_all>;
using MdPtr = OpenSslPtr<EVP_MD_CTX, EVP_MD_CTX_free>;
using X509Ptr = OpenSslPtr<X509, X509_free>;

constexpr size_t kMaxCertificateBytes = size_t{64} * 1024;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string WithDomain(std::string_view domain, std::string_view bytes) {
  return StrCat(domain, std::string_view("\0", 1), bytes);
}

}  // namespace

absl::StatusOr<std::string> SignEcdsa(std::string_view domain, std::string_view bytes, EVP_PKEY& key) {
  if (EVP_PKEY_is_a(&key, "EC") != 1) {
    return absl::InvalidArgumentError("the key to sign with is not an elliptic curve key");
  }
  const std::string message = WithDomain(domain, bytes);
  std::string signature(static_cast<size_t>(EVP_PKEY_get_size(&key)), '\0');
  size_t size = signature.size();
  const MdPtr md(EVP_MD_CTX_new());
  if (!md || EVP_DigestSignInit(md.get(), nullptr, EVP_sha256(), nullptr, &key) != 1 ||
      EVP_DigestSign(md.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, Bytes(message),
                     message.size()) != 1) {
    return OpenSslError("cannot sign with the host's key");
  }
  signature.resize(size);
  return signature;
}

bool VerifyEcdsa(std::string_view domain, std::string_view bytes, std::string_view signature,
                 std::string_view certificate_pem) {
  if (signature.empty() || signature.size() > kMaxEcdsaSignatureBytes) return false;
  if (certificate_pem.size() > kMaxCertificateBytes) return false;
  const BioPtr bio(BIO_new_mem_buf(certificate_pem.data(), static_cast<int>(certificate_pem.size())));
  const X509Ptr certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  EVP_PKEY* const key = certificate ? X509_get0_pubkey(certificate.get()) : nullptr;
  const MdPtr md(EVP_MD_CTX_new());
  const std::string message = WithDomain(domain, bytes);
  const bool good =
      key != nullptr && EVP_PKEY_is_a(key, "EC") == 1 && md &&
      EVP_DigestVerifyInit(md.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
      EVP_DigestVerify(md.get(), Bytes(signature), signature.size(), Bytes(message), message.size()) == 1;
  ClearOpenSslErrors();
  return good;
}

}  // namespace cordon
