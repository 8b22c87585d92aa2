#pragma once

// Small state files whose damage must be noticed: magic || SHA-256 of the body (32 bytes) || body.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace cordon {

std::string Seal(std::string_view magic, std::string_view body);

// DATA_LOSS when the bytes are cut, altered or of another kind.
absl::StatusOr<std::string> Unseal(std::string_view magic, std::string_view bytes);

}  // namespace cordon
