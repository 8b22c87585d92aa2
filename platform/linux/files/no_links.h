#pragma once

#include <filesystem>

namespace cordon::platform {

// open(2), but no part of the path may be a link: ELOOP. With O_PATH | O_NOFOLLOW the last one may. Who can
// write to a folder on the way could otherwise lead us anywhere.
int OpenWithoutLinks(const std::filesystem::path& path, int flags);

}  // namespace cordon::platform
