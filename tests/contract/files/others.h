#pragma once

#include <filesystem>

namespace cordon::testing {

// Whether users who are neither the owner nor administrators may read it.
bool OthersMayRead(const std::filesystem::path& path);

}  // namespace cordon::testing
