#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace cordon {

// SHA-256 of the first certificate in `pem`, 32 bytes, as `openssl x509 -fingerprint -sha256` prints it.
// INVALID_ARGUMENT when there is none.
absl::StatusOr<std::string> CertificateSha256(std::string_view pem);

}  // namespace cordon
