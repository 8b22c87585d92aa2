#include "common/crypto/key.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

namespace cordon {
namespace {

using BioPtr = OpenSslPtr<BIO, BIO_free_all>;

// Never asks a terminal: a daemon must not hang on an encrypted key.
int NoPassphrase(char*, int, int, void*) {
  return -1;
}

}  // namespace

void FreeKey(EVP_PKEY* key) {
  EVP_PKEY_free(key);
}

absl::StatusOr<KeyPtr> NewTlsKey() {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return OpenSslError("cannot make a P-256 key");
  return key;
}

absl::StatusOr<std::string> PrivateKeyToPem(const EVP_PKEY& key) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return OpenSslError("cannot write a private key as PEM");
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

absl::StatusOr<KeyPtr> PrivateKeyFromPem(std::string_view pem) {
  if (pem.size() > 64 * 1024) return absl::InvalidArgumentError("a private key is longer than 64 KiB");
  BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  KeyPtr key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr) : nullptr);
  if (!key) {
    ClearOpenSslErrors();
    return absl::InvalidArgumentError("not an unencrypted private key in PEM form");
  }
  return key;
}

}  // namespace cordon
