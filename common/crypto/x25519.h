#pragma once

// Keys for agreeing on a secret: an operator's answers unlock challenges of hosts (AUT-5).

#include <absl/status/statusor.h>

#include <string>

#include "common/crypto/key.h"

namespace cordon {

inline constexpr size_t kX25519PublicKeyBytes = 32;

absl::StatusOr<KeyPtr> NewX25519Key();

// The 32 raw bytes. INVALID_ARGUMENT when `key` is of another kind.
absl::StatusOr<std::string> RawX25519PublicKey(const EVP_PKEY& key);

}  // namespace cordon
