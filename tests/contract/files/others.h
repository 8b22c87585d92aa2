#pragma once

#include <filesystem>
#include <string>

namespace cordon::testing {

// Whether users who are neither the owner nor administrators may read it.
bool OthersMayRead(const std::filesystem::path& path);

// What a writer of `name` that was killed leaves beside it.
std::string UnfinishedName(const std::string& name);

}  // namespace cordon::testing
