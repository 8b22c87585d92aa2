#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "cordon/v1/isolation.pb.h"

namespace cordon::ctl {

inline constexpr size_t kMaxProfileFileBytes = 4 * 1024 * 1024;

// A profile from its TOML form (docs/examples/clinic.toml). INVALID_ARGUMENT "file:line: …" for what is no
// TOML, for a key that is not known, a value of the wrong kind, or a field out of bounds.
absl::StatusOr<v1::Profile> ParseProfile(std::string_view text, const std::string& file_name);

// The profile in a file. INVALID_ARGUMENT also when it cannot be read.
absl::StatusOr<v1::Profile> LoadProfileFile(const std::string& path);

}  // namespace cordon::ctl
