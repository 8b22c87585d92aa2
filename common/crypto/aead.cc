#include "common/crypto/aead.h"

#include <openssl/evp.h>

#include <limits>

#include "common/crypto/openssl_error.h"

namespace cordon {
namespace {

using Context = OpenSslPtr<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string* text) {
  return reinterpret_cast<unsigned char*>(text->data());
}
int Size(std::string_view text) {
  return static_cast<int>(text.size());
}

bool FitsOpenSsl(std::string_view text) {
  return text.size() < static_cast<size_t>(std::numeric_limits<int>::max()) - kAeadTagBytes;
}

absl::Status CheckLengths(std::string_view key, std::string_view nonce, std::string_view known,
                          std::string_view text) {
  if (key.size() == kAeadKeyBytes && nonce.size() == kAeadNonceBytes && FitsOpenSsl(known) &&
      FitsOpenSsl(text))
    return absl::OkStatus();
  return absl::InvalidArgumentError("key, nonce or text has no length that AES-256-GCM takes");
}

}  // namespace

absl::StatusOr<std::string> SealAead(std::string_view key, std::string_view nonce, std::string_view known,
                                     std::string_view text) {
  if (absl::Status lengths = CheckLengths(key, nonce, known, text); !lengths.ok()) return lengths;
  const Context context(EVP_CIPHER_CTX_new());
  std::string sealed(text.size() + kAeadTagBytes, '\0');
  unsigned char* const out = Bytes(&sealed);
  int size = 0;
  if (!context ||
      EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, Bytes(key), Bytes(nonce)) != 1 ||
      EVP_EncryptUpdate(context.get(), nullptr, &size, Bytes(known), Size(known)) != 1 ||
      EVP_EncryptUpdate(context.get(), out, &size, Bytes(text), Size(text)) != 1 ||
      EVP_EncryptFinal_ex(context.get(), out + text.size(), &size) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kAeadTagBytes, out + text.size()) != 1)
    return OpenSslError("cannot seal with AES-256-GCM");
  return sealed;
}

absl::StatusOr<std::string> OpenAead(std::string_view key, std::string_view nonce, std::string_view known,
                                     std::string_view sealed) {
  const absl::Status lengths = CheckLengths(key, nonce, known, sealed);
  if (!lengths.ok() || sealed.size() < kAeadTagBytes) return absl::DataLossError("it is cut");
  const size_t bytes = sealed.size() - kAeadTagBytes;
  const Context context(EVP_CIPHER_CTX_new());
  std::string text(bytes, '\0');
  std::string tag(sealed.substr(bytes));
  int size = 0;
  if (context &&
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, Bytes(key), Bytes(nonce)) == 1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &size, Bytes(known), Size(known)) == 1 &&
      EVP_DecryptUpdate(context.get(), Bytes(&text), &size, Bytes(sealed), static_cast<int>(bytes)) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kAeadTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), Bytes(&text) + bytes, &size) == 1)
    return text;
  ClearOpenSslErrors();
  return absl::DataLossError("it is damaged, or was sealed with another key");
}

}  // namespace cordon
