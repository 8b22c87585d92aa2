#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <functional>
#include <string_view>

#include "platform/linux/system/fd.h"

namespace cordon::platform {

// For reading, without following a link or leaving a trace. NOT_FOUND, FAILED_PRECONDITION when it is no
// folder or a part of the way is a link.
absl::StatusOr<Fd> OpenFolder(const std::filesystem::path& folder);

// The names in an open folder with their types (DT_…, which may be DT_UNKNOWN): nothing is asked of what they
// name. `path` is for messages.
absl::Status ReadNames(Fd folder, const std::filesystem::path& path,
                       const std::function<void(std::string_view name, unsigned char type)>& visit);

}  // namespace cordon::platform
