#include "common/crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <new>

#include "common/crypto/openssl_error.h"

namespace cordon {

namespace {

// EVP can only fail here for want of memory: these digests are in OpenSSL 3's default provider.
void Require(bool ok) {
  if (!ok) throw std::bad_alloc();
}

// Found once: what EVP_sha256() gives is looked up anew, under locks, each time that a digest begins.
const EVP_MD* Fetch(const char* name) {
  const EVP_MD* const found = EVP_MD_fetch(nullptr, name, nullptr);
  Require(found != nullptr);
  return found;
}
const EVP_MD* Sha256Kind() {
  static const EVP_MD* const kind = Fetch("SHA256");
  return kind;
}
const EVP_MD* Md5Kind() {
  static const EVP_MD* const kind = Fetch("MD5");
  return kind;
}

}  // namespace

struct DigestContext {
  explicit DigestContext(const EVP_MD* kind) : kind_of(kind), md(EVP_MD_CTX_new()) {
    Require(md != nullptr && EVP_DigestInit_ex2(md.get(), kind_of, nullptr) == 1);
  }

  void Update(std::string_view bytes) {
    Require(EVP_DigestUpdate(md.get(), bytes.data(), bytes.size()) == 1);
  }

  std::string Finish() {
    std::string digest(static_cast<size_t>(EVP_MD_get_size(kind_of)), '\0');
    Require(EVP_DigestFinal_ex(md.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr) == 1);
    Require(EVP_DigestInit_ex2(md.get(), kind_of, nullptr) == 1);
    return digest;
  }

  const EVP_MD* kind_of;
  OpenSslPtr<EVP_MD_CTX, EVP_MD_CTX_free> md;
};

Sha256Stream::Sha256Stream() : context_(std::make_unique<DigestContext>(Sha256Kind())) {}

Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::Update(std::string_view bytes) {
  context_->Update(bytes);
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
  return context_->Finish();
}

Md5Stream::Md5Stream() : context_(std::make_unique<DigestContext>(Md5Kind())) {}

Md5Stream::~Md5Stream() = default;

void Md5Stream::Update(std::string_view bytes) {
  context_->Update(bytes);
}

std::string Md5Stream::Finish() {
  return context_->Finish();
}

std::string Sha256(std::string_view bytes) {
  thread_local Sha256Stream stream;  // to make one takes as long as a short digest
  stream.Update(bytes);
  return stream.Finish();
}

bool ConstantTimeEquals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace cordon
