#include "common/crypto/ed25519.h"

#include <openssl/evp.h>

#include "common/base/strings.h"

namespace cordon {
namespace {

using MdPtr = OpenSslPtr<EVP_MD_CTX, EVP_MD_CTX_free>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string WithDomain(std::string_view domain, std::string_view bytes) {
  return StrCat(domain, std::string_view("\0", 1), bytes);
}

}  // namespace

absl::StatusOr<KeyPtr> NewSigningKey() {
  KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (!key) return OpenSslError("cannot make an Ed25519 key");
  return key;
}

absl::StatusOr<std::string> RawPublicKey(const EVP_PKEY& key) {
  std::string raw(kEd25519PublicKeyBytes, '\0');
  size_t size = raw.size();
  if (EVP_PKEY_is_a(&key, "ED25519") != 1 ||
      EVP_PKEY_get_raw_public_key(&key, reinterpret_cast<unsigned char*>(raw.data()), &size) != 1 ||
      size != raw.size()) {
    ClearOpenSslErrors();
    return absl::InvalidArgumentError("not an Ed25519 key");
  }
  return raw;
}

absl::StatusOr<std::string> Sign(std::string_view domain, std::string_view bytes, EVP_PKEY& key) {
  const std::string message = WithDomain(domain, bytes);
  std::string signature(kEd25519SignatureBytes, '\0');
  size_t size = signature.size();
  MdPtr md(EVP_MD_CTX_new());
  if (!md || EVP_DigestSignInit(md.get(), nullptr, nullptr, nullptr, &key) != 1 ||
      EVP_DigestSign(md.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, Bytes(message),
                     message.size()) != 1 ||
      size != signature.size()) {
    return OpenSslError("cannot sign");
  }
  return signature;
}

bool Verify(std::string_view domain, std::string_view bytes, std::string_view signature,
            std::string_view public_key) {
  if (signature.size() != kEd25519SignatureBytes || public_key.size() != kEd25519PublicKeyBytes) return false;
  KeyPtr key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Bytes(public_key), public_key.size()));
  MdPtr md(EVP_MD_CTX_new());
  const std::string message = WithDomain(domain, bytes);
  const bool good =
      key && md && EVP_DigestVerifyInit(md.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
      EVP_DigestVerify(md.get(), Bytes(signature), signature.size(), Bytes(message), message.size()) == 1;
  ClearOpenSslErrors();
  return good;
}

}  // namespace cordon
