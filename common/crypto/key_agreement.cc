#include "common/crypto/key_agreement.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <array>

#include "common/base/strings.h"
#include "common/crypto/x25519.h"

namespace cordon {
namespace {

using KeyContextPtr = OpenSslPtr<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using KdfPtr = OpenSslPtr<EVP_KDF, EVP_KDF_free>;
using KdfContextPtr = OpenSslPtr<EVP_KDF_CTX, EVP_KDF_CTX_free>;

absl::Status Bad(std::string_view what) {
  ClearOpenSslErrors();
  return absl::InvalidArgumentError(std::string(what));
}

// OpenSSL's parameters have no form for what is only read.
OSSL_PARAM Octets(const char* name, std::string_view bytes) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(bytes.data()), bytes.size());
}

}  // namespace

absl::StatusOr<std::string> SharedSecret(EVP_PKEY& own, std::string_view peer_public_key) {
  if (EVP_PKEY_is_a(&own, "X25519") != 1) return Bad("not an X25519 key");
  if (peer_public_key.size() != kX25519PublicKeyBytes)
    return Bad(StrCat("an X25519 public key has ", kX25519PublicKeyBytes, " bytes"));
  const KeyPtr peer(EVP_PKEY_new_raw_public_key(
      EVP_PKEY_X25519, nullptr, reinterpret_cast<const unsigned char*>(peer_public_key.data()),
      peer_public_key.size()));
  const KeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, &own, nullptr));
  std::string secret(kX25519PublicKeyBytes, '\0');
  size_t size = secret.size();
  // OpenSSL refuses a secret of zeroes, which is what every public key of low order leads to.
  if (!peer || !context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), peer.get()) != 1 ||
      EVP_PKEY_derive(context.get(), reinterpret_cast<unsigned char*>(secret.data()), &size) != 1 ||
      size != secret.size()) {
    return Bad("not a public key that a secret can be shared with");
  }
  return secret;
}

absl::StatusOr<std::string> HkdfSha256(std::string_view secret, std::string_view salt, std::string_view info,
                                       size_t size) {
  const KdfPtr kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const KdfContextPtr context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 5> params = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
      Octets(OSSL_KDF_PARAM_KEY, secret), Octets(OSSL_KDF_PARAM_SALT, salt),
      Octets(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
  std::string out(size, '\0');
  if (!context || EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(out.data()), out.size(),
                                 params.data()) != 1) {
    return OpenSslError("cannot derive a key");
  }
  return out;
}

}  // namespace cordon
