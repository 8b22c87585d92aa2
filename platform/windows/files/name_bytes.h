#pragma once

// Names of Windows as bytes and back. No Windows header: tested on every system.

#include <string>
#include <string_view>

namespace cordon::platform {

// UTF-8; half of a surrogate pair as the three bytes that UTF-8 would have for its number.
std::string BytesOfUnits(std::u16string_view units);

// And back. Bytes that BytesOfUnits does not make become U+FFFD, each of them.
std::u16string UnitsOfBytes(std::string_view bytes);

}  // namespace cordon::platform
