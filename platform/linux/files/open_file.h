#pragma once

#include "platform/api/file_tree.h"
#include "platform/linux/system/fd.h"

namespace cordon::platform {

// For those who open a file in another way than by its path. FAILED_PRECONDITION when it is no regular file.
absl::StatusOr<OpenFile> TakeOpenFile(Fd fd, std::filesystem::path path);

}  // namespace cordon::platform
