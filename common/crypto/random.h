#pragma once

#include <cstddef>
#include <string>

namespace cordon {

// `count` bytes from OpenSSL's generator. Throws std::runtime_error when the system has no randomness:
// nothing that needs it may go on without.
std::string RandomBytes(size_t count);

}  // namespace cordon
