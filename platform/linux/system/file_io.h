#pragma once

// What files.cc and append_file.cc both do with descriptors.

#include <absl/status/status.h>

#include <filesystem>
#include <string_view>

namespace cordon::platform {

// `what` and the path, by errno.
absl::Status Failed(std::string_view what, const std::filesystem::path& path);

// All of `bytes`; `path` is for messages.
absl::Status WriteAll(int fd, std::string_view bytes, const std::filesystem::path& path);

// So that names made in it survive a power cut.
absl::Status SyncFolder(const std::filesystem::path& folder);

}  // namespace cordon::platform
