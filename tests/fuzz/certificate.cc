// Certificates in PEM, URIs and keys: what a peer or a file gives us.

#include <cstdint>
#include <string_view>

#include "common/crypto/key.h"
#include "common/crypto/x509.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static_cast<void>(cordon::ReadCertificate(input));
  static_cast<void>(cordon::ParseIdentity(input));
  static_cast<void>(cordon::PrivateKeyFromPem(input));
  static_cast<void>(cordon::CheckCertificate(input, input, 0));
  return 0;
}
