#pragma once

// What stands in the place of a key in a file, and says by what it was sealed. Pure; no Windows header.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace cordon::platform::keys {

// By DPAPI: kDpapiLine, then DPAPI's blob.
inline constexpr std::string_view kDpapiLine = "cordon key sealed by DPAPI\n";

// By the TPM: kTpmHead, whose last byte is the version, then each part of the envelope as its length (16
// bits, big-endian) and its bytes, and nothing behind them.
inline constexpr std::string_view kTpmLine = "cordon key sealed by the TPM\n";
inline constexpr std::string_view kTpmHead = "cordon key sealed by the TPM\n\x01";

struct TpmEnvelope {
  std::string wrapped_key;  // 1 to 1,024 bytes: a content key, by RSA-OAEP with SHA-256
  std::string nonce;        // kAeadNonceBytes
  std::string sealed;       // SealAead of the key, kTpmHead being known; kAeadTagBytes to 65,535 bytes
  friend bool operator==(const TpmEnvelope&, const TpmEnvelope&) = default;
};

enum class SealedBy : uint8_t { kNothing, kDpapi, kTpm };
SealedBy WhatSealed(std::string_view bytes);

// INVALID_ARGUMENT when a part has not the length that it may have.
absl::StatusOr<std::string> WriteEnvelope(const TpmEnvelope& envelope);
// DATA_LOSS when the bytes are cut, longer, or of a version that this agent does not know.
absl::StatusOr<TpmEnvelope> ReadEnvelope(std::string_view bytes);

}  // namespace cordon::platform::keys
