#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace cordon {

// PEM armour around bytes, for the project's own files ("CORDON ENROLLMENT", "CORDON OPERATOR").
std::string PemArmour(std::string_view label, std::string_view bytes);

// The bytes of the first block with that label. INVALID_ARGUMENT when there is none, it is cut or damaged, or
// the text is longer than max_bytes.
absl::StatusOr<std::string> PemUnarmour(std::string_view label, std::string_view text, size_t max_bytes);

}  // namespace cordon
