#pragma once

#include <filesystem>
#include <string>

#include "cordon/v1/scan.pb.h"
#include "platform/api/file_tree.h"

namespace cordon::agent {

// A path as it stands in events: UTF-8, other bytes escaped reversibly (common/base/text.h, EscapeToUtf8).
std::string EventPath(const std::filesystem::path& path);
std::string EventPath(const std::string& path);  // its bytes, as sensors and scans have them

// `sha256` is empty when the file was not hashed.
v1::FileState EventFileState(const platform::FileMetadata& metadata, const std::string& sha256);

}  // namespace cordon::agent
