#pragma once

// A secret that two key pairs share, and keys made of it (AUT-5).

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "common/crypto/key.h"

namespace cordon {

// X25519 (RFC 7748): the 32 bytes that both sides can make, and nobody else. INVALID_ARGUMENT for keys of
// another kind or length, and for a public key of low order, with which anybody could make them.
absl::StatusOr<std::string> SharedSecret(EVP_PKEY& own, std::string_view peer_public_key);

// HKDF with SHA-256 (RFC 5869): `size` bytes, 1 to 8,160, for the purpose that `salt` and `info` name.
absl::StatusOr<std::string> HkdfSha256(std::string_view secret, std::string_view salt, std::string_view info,
                                       size_t size);

}  // namespace cordon
