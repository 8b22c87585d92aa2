#pragma once

#include <string>
#include <string_view>

namespace cordon {

// A random (version 4) UUID in its 36-character lower-case form. Thread-safe.
std::string NewUuid();

// True for the 36-character lower-case form and nothing else.
bool IsUuid(std::string_view text);

}  // namespace cordon
