#pragma once

// What the agent keeps between starts of where it was in the journals. Pure.

#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <string_view>

#include "platform/windows/files/usn_catch_up.h"

namespace cordon::platform {

using UsnPositions = std::map<std::string, UsnPosition>;  // by the volume's name

inline constexpr size_t kMostUsnPositionBytes = 16 * 1024;

// A line for the format, then one per volume: name, journal, USN and time, with tabs between them; and an
// end.
std::string FormatUsnPositions(const UsnPositions& positions);

// INVALID_ARGUMENT for anything that FormatUsnPositions does not write.
absl::StatusOr<UsnPositions> ParseUsnPositions(std::string_view text);

}  // namespace cordon::platform
