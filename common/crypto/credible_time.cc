#include "common/crypto/credible_time.h"

#include <algorithm>
#include <fstream>
#include <string>

#include "common/crypto/x509.h"

namespace cordon {

int64_t CredibleNanos(int64_t now_unix_nanos, const std::filesystem::path& file) {
  constexpr size_t kMaxCertificateBytes = size_t{64} * 1024;
  std::string pem(kMaxCertificateBytes, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(pem.data(), static_cast<std::streamsize>(pem.size()));
  pem.resize(static_cast<size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  const absl::StatusOr<CertificateInfo> certificate = ReadCertificate(pem);
  return certificate.ok() ? std::min(now_unix_nanos, certificate->not_after_unix_nanos) : now_unix_nanos;
}

}  // namespace cordon
