#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace cordon {

// Lower-case hexadecimal of `bytes`.
std::string HexEncode(std::string_view bytes);

// INVALID_ARGUMENT when `text` has an odd length or a character that is no hexadecimal digit.
absl::StatusOr<std::string> HexDecode(std::string_view text);

}  // namespace cordon
