#pragma once

#include <string_view>

namespace cordon {

// Shell pattern: '*' any bytes, '/' included; '?' one byte. Linear memory, no recursion.
bool MatchesPattern(std::string_view pattern, std::string_view text);

}  // namespace cordon
