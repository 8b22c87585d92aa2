#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <string>
#include <string_view>

#include "cordon/v1/isolation.pb.h"
#include "cordon/v1/order.pb.h"

namespace cordon::ctl {

inline constexpr size_t kMaxPolicyFileBytes = size_t{1024} * 1024;

// Reads the profile that a policy names, a file name as it stands there.
using LoadProfile = std::function<absl::StatusOr<v1::Profile>(const std::string& file_name)>;

// A policy from its TOML form (docs/examples/policy.toml). INVALID_ARGUMENT "file:line: …" for what is no
// TOML, for a key that is not known, a value of the wrong kind, or a field out of bounds; and the errors of
// `load_profile`.
absl::StatusOr<v1::Policy> ParsePolicy(std::string_view text, const std::string& file_name,
                                       const LoadProfile& load_profile);

}  // namespace cordon::ctl
