#pragma once

#include <absl/status/statusor.h>
#include <openssl/types.h>

#include <string>
#include <string_view>

#include "common/crypto/openssl_error.h"

namespace cordon {

void FreeKey(EVP_PKEY* key);
using KeyPtr = OpenSslPtr<EVP_PKEY, FreeKey>;

// A new P-256 key: what TLS certificates are made with.
absl::StatusOr<KeyPtr> NewTlsKey();

// PKCS#8, not encrypted: the caller writes it with owner-only access.
absl::StatusOr<std::string> PrivateKeyToPem(const EVP_PKEY& key);

// INVALID_ARGUMENT for anything but one unencrypted private key. At most 64 KiB.
absl::StatusOr<KeyPtr> PrivateKeyFromPem(std::string_view pem);

}  // namespace cordon
