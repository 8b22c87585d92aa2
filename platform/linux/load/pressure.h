#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace cordon::platform {

// The total of the line "some" of /proc/pressure/…, in nanoseconds. Pure.
std::optional<int64_t> ParsePressure(std::string_view text);

}  // namespace cordon::platform
