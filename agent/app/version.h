#pragma once

namespace cordon::agent {

inline constexpr const char* kVersion = CORDON_VERSION;

}  // namespace cordon::agent
