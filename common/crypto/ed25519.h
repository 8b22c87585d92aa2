#pragma once

// Operators' signatures. A signature covers `domain`, a zero byte, and the exact bytes: the domain keeps a
// signature made for one purpose from being taken for another (AUT-3).

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "common/crypto/key.h"

namespace cordon {

inline constexpr std::string_view kOrderDomain = "cordon-order-v1";
inline constexpr std::string_view kTrustDomain = "cordon-trust-v1";

inline constexpr size_t kEd25519PublicKeyBytes = 32;
inline constexpr size_t kEd25519SignatureBytes = 64;

absl::StatusOr<KeyPtr> NewSigningKey();

// The 32 raw bytes. INVALID_ARGUMENT when `key` is of another kind.
absl::StatusOr<std::string> RawPublicKey(const EVP_PKEY& key);

// 64 bytes.
absl::StatusOr<std::string> Sign(std::string_view domain, std::string_view bytes, EVP_PKEY& key);

// False for anything that is not exactly a good signature, wrong lengths included.
bool Verify(std::string_view domain, std::string_view bytes, std::string_view signature,
            std::string_view public_key);

}  // namespace cordon
