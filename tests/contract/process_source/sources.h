#pragma once

#include <string>
#include <vector>

namespace cordon::testing {

// This system's process sources, by the names that MakeProcessSource knows.
std::vector<std::string> ProcessSourceNames();

// Why this one does not work on this machine; empty when it does.
std::string WhyNotHere(const std::string& source);

}  // namespace cordon::testing
