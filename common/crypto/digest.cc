#include "common/crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <new>

#include "common/crypto/openssl_error.h"

namespace cordon {

struct Sha256Stream::Context {
  OpenSslPtr<EVP_MD_CTX, EVP_MD_CTX_free> md{EVP_MD_CTX_new()};

  // EVP can only fail here for want of memory: SHA-256 is in every OpenSSL 3 provider that can load at all.
  static void Require(bool ok) {
    if (!ok) throw std::bad_alloc();
  }
};

Sha256Stream::Sha256Stream() : context_(std::make_unique<Context>()) {
  Context::Require(context_->md != nullptr &&
                   EVP_DigestInit_ex2(context_->md.get(), EVP_sha256(), nullptr) == 1);
}

Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::Update(std::string_view bytes) {
  Context::Require(EVP_DigestUpdate(context_->md.get(), bytes.data(), bytes.size()) == 1);
}

void Sha256Stream::UpdateU32(uint32_t value) {
  std::array<char, 4> bytes{};
  for (int i = 3; i >= 0; --i, value >>= 8) bytes[static_cast<size_t>(i)] = static_cast<char>(value & 0xff);
  Update({bytes.data(), bytes.size()});
}

void Sha256Stream::UpdateU64(uint64_t value) {
  UpdateU32(static_cast<uint32_t>(value >> 32));
  UpdateU32(static_cast<uint32_t>(value));
}

std::string Sha256Stream::Finish() {
  std::string digest(kSha256Bytes, '\0');
  Context::Require(
      EVP_DigestFinal_ex(context_->md.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr) == 1);
  Context::Require(EVP_DigestInit_ex2(context_->md.get(), EVP_sha256(), nullptr) == 1);
  return digest;
}

std::string Sha256(std::string_view bytes) {
  Sha256Stream stream;
  stream.Update(bytes);
  return stream.Finish();
}

bool ConstantTimeEquals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace cordon
