#pragma once

// AES-256-GCM (NIST SP 800-38D).

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace cordon {

inline constexpr size_t kAeadKeyBytes = 32;
inline constexpr size_t kAeadNonceBytes = 12;  // random or counted; never twice with one key
inline constexpr size_t kAeadTagBytes = 16;

// `text` sealed, the tag behind it. `known` is not in it, and must be the same again to open it.
// INVALID_ARGUMENT when key or nonce has another length.
absl::StatusOr<std::string> SealAead(std::string_view key, std::string_view nonce, std::string_view known,
                                     std::string_view text);

// DATA_LOSS: another key, nonce or `known`, or damaged.
absl::StatusOr<std::string> OpenAead(std::string_view key, std::string_view nonce, std::string_view known,
                                     std::string_view sealed);

}  // namespace cordon
