#pragma once

// For this folder alone: what others see of a certificate is in x509.h and fingerprint.h.

#include <absl/status/statusor.h>
#include <openssl/x509.h>

#include <string_view>

#include "common/crypto/openssl_error.h"

namespace cordon {

// The first certificate in `pem`, of at most 64 KiB. INVALID_ARGUMENT when there is none.
absl::StatusOr<OpenSslPtr<X509, X509_free>> FirstCertificate(std::string_view pem);

}  // namespace cordon
