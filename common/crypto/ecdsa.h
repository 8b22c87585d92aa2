#pragma once

// Signatures by the key of a certificate: what a host says of itself can be checked by whoever trusts the CA.
// They cover `domain`, a zero byte and the exact bytes, as in ed25519.h. ECDSA with SHA-256, in DER.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "common/crypto/key.h"

namespace cordon {

inline constexpr std::string_view kReceiptDomain = "cordon-receipt-v1";
inline constexpr std::string_view kScanReportDomain = "cordon-scan-v1";
inline constexpr size_t kMaxEcdsaSignatureBytes = 72;  // of a P-256 key

// INVALID_ARGUMENT when `key` is not an elliptic curve key.
absl::StatusOr<std::string> SignEcdsa(std::string_view domain, std::string_view bytes, EVP_PKEY& key);

// True for a good signature by the key of the first certificate in `certificate_pem`; who issued that
// certificate, and for whom, is for the caller to check. False for anything else.
bool VerifyEcdsa(std::string_view domain, std::string_view bytes, std::string_view signature,
                 std::string_view certificate_pem);

}  // namespace cordon
