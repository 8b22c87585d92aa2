#pragma once

// fleet.toml: what the CA is of. Pure.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "controller/pki/pki.h"

namespace cordon::controller {

// INVALID_ARGUMENT names the field that is missing or out of bounds.
absl::Status CheckPkiOptions(const PkiOptions& options);

std::string FormatFleetFile(const PkiOptions& options);
absl::StatusOr<PkiOptions> ParseFleetFile(std::string_view text);

}  // namespace cordon::controller
