#include "common/crypto/key.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

namespace cordon {
namespace {

using BioPtr = OpenSslPtr<BIO, BIO_free_all>;
using KeyInfoPtr = OpenSslPtr<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>;
using AlgorithmPtr = OpenSslPtr<X509_ALGOR, X509_ALGOR_free>;
using SealedPtr = OpenSslPtr<X509_SIG, X509_SIG_free>;

constexpr size_t kMaxPemBytes = 64 * 1024;

// OpenSSL reads scrypt keys of at most 32 MiB of memory: so N stays at 2^14, and p makes it slower.
constexpr uint64_t kScryptN = 1 << 14;
constexpr uint64_t kScryptR = 8;
constexpr uint64_t kScryptP = 5;

std::string TextOf(BIO& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(&bio, &data);
  return {data, static_cast<size_t>(size)};
}

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
  return TextOf(*bio);
}

absl::StatusOr<KeyPtr> PrivateKeyFromPem(std::string_view pem) {
  if (pem.size() > kMaxPemBytes) return absl::InvalidArgumentError("a private key is longer than 64 KiB");
  BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  KeyPtr key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr) : nullptr);
  if (!key) {
    ClearOpenSslErrors();
    return absl::InvalidArgumentError("not an unencrypted private key in PEM form");
  }
  return key;
}

absl::StatusOr<std::string> SealPrivateKey(const EVP_PKEY& key, std::string_view passphrase) {
  if (passphrase.empty()) return absl::InvalidArgumentError("a key is not sealed with an empty passphrase");
  KeyInfoPtr info(EVP_PKEY2PKCS8(&key));
  AlgorithmPtr algorithm(
      PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, 0, nullptr, kScryptN, kScryptR, kScryptP));
  if (!info || !algorithm) return OpenSslError("cannot seal a private key");
  SealedPtr sealed(
      PKCS8_set0_pbe(passphrase.data(), static_cast<int>(passphrase.size()), info.get(), algorithm.get()));
  if (!sealed) return OpenSslError("cannot seal a private key");
  algorithm.release();  // NOLINT(bugprone-unused-return-value): `sealed` owns it now
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PKCS8(bio.get(), sealed.get()) != 1) {
    return OpenSslError("cannot write a sealed private key as PEM");
  }
  return TextOf(*bio);
}

bool IsSealedPrivateKey(std::string_view pem) {
  return pem.find("-----BEGIN ENCRYPTED PRIVATE KEY-----") != std::string_view::npos;
}

absl::StatusOr<KeyPtr> OpenSealedPrivateKey(std::string_view pem, std::string_view passphrase) {
  if (pem.size() > kMaxPemBytes) return absl::InvalidArgumentError("a private key is longer than 64 KiB");
  BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  SealedPtr sealed(bio ? PEM_read_bio_PKCS8(bio.get(), nullptr, NoPassphrase, nullptr) : nullptr);
  if (!sealed) {
    ClearOpenSslErrors();
    return absl::InvalidArgumentError("not a private key sealed with a passphrase, in PEM form");
  }
  KeyInfoPtr info(PKCS8_decrypt(sealed.get(), passphrase.data(), static_cast<int>(passphrase.size())));
  KeyPtr key(info ? EVP_PKCS82PKEY(info.get()) : nullptr);
  if (!key) {
    ClearOpenSslErrors();
    return absl::PermissionDeniedError("the passphrase is not the one that the key was sealed with");
  }
  return key;
}

}  // namespace cordon
