#include "common/crypto/pem.h"

#include <openssl/bio.h>
#include <openssl/pem.h>

#include <new>

#include "common/base/strings.h"
#include "common/crypto/openssl_error.h"

namespace cordon {
namespace {

using BioPtr = OpenSslPtr<BIO, BIO_free_all>;

void FreeOpenSsl(void* memory) {
  OPENSSL_free(memory);
}

}  // namespace

std::string PemArmour(std::string_view label, std::string_view bytes) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  const std::string name(label);
  if (!bio || PEM_write_bio(bio.get(), name.c_str(), "", reinterpret_cast<const unsigned char*>(bytes.data()),
                            static_cast<long>(bytes.size())) <= 0) {
    throw std::bad_alloc();
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(size)};
}

absl::StatusOr<std::string> PemUnarmour(std::string_view label, std::string_view text, size_t max_bytes) {
  if (text.size() > max_bytes) {
    return absl::InvalidArgumentError(StrCat("longer than ", max_bytes, " bytes"));
  }
  BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (!bio) throw std::bad_alloc();
  while (true) {
    char* name = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    if (PEM_read_bio(bio.get(), &name, &header, &data, &size) != 1) {
      ClearOpenSslErrors();
      return absl::InvalidArgumentError(StrCat("no whole '-----BEGIN ", label,
                                               "-----' block: the file is cut, damaged or of another kind"));
    }
    const std::unique_ptr<char, decltype(&FreeOpenSsl)> own_name(name, FreeOpenSsl);
    const std::unique_ptr<char, decltype(&FreeOpenSsl)> own_header(header, FreeOpenSsl);
    const std::unique_ptr<unsigned char, decltype(&FreeOpenSsl)> own_data(data, FreeOpenSsl);
    if (label == name) return std::string(reinterpret_cast<char*>(data), static_cast<size_t>(size));
  }
}

}  // namespace cordon
