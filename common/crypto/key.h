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

// PKCS#8 that only who knows the passphrase can read: AES-256-CBC with a key from scrypt (N = 2^14, r = 8, p
// = 5), so that each guess costs 16 MiB and a good part of a second. INVALID_ARGUMENT: an empty passphrase.
absl::StatusOr<std::string> SealPrivateKey(const EVP_PKEY& key, std::string_view passphrase);

// True for the PEM of a sealed key.
bool IsSealedPrivateKey(std::string_view pem);

// PERMISSION_DENIED: the passphrase is another. INVALID_ARGUMENT: not one sealed key in PEM form. At most 64
// KiB.
absl::StatusOr<KeyPtr> OpenSealedPrivateKey(std::string_view pem, std::string_view passphrase);

}  // namespace cordon
