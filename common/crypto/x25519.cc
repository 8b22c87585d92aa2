#include "common/crypto/x25519.h"

#include <openssl/evp.h>

namespace cordon {

absl::StatusOr<KeyPtr> NewX25519Key() {
  KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"));
  if (!key) return OpenSslError("cannot make an X25519 key");
  return key;
}

absl::StatusOr<std::string> RawX25519PublicKey(const EVP_PKEY& key) {
  std::string raw(kX25519PublicKeyBytes, '\0');
  size_t size = raw.size();
  if (EVP_PKEY_is_a(&key, "X25519") != 1 ||
      EVP_PKEY_get_raw_public_key(&key, reinterpret_cast<unsigned char*>(raw.data()), &size) != 1 ||
      size != raw.size()) {
    ClearOpenSslErrors();
    return absl::InvalidArgumentError("not an X25519 key");
  }
  return raw;
}

}  // namespace cordon
