#pragma once

// Windows passes one line; programs cut it into words themselves. These are the rules of Microsoft's C
// library, which most programs use. Pure.

#include <string>
#include <string_view>
#include <vector>

namespace cordon::platform {

std::vector<std::string> SplitCommandLine(std::string_view line);

}  // namespace cordon::platform
