#pragma once

namespace cordon::agent {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace cordon::agent
