#pragma once

#include <string_view>

#include "platform/api/mount_table.h"

namespace cordon::platform {

// The text of /proc/self/mountinfo. Lines that are none are left out. Pure.
MountTable ParseMountInfo(std::string_view text);

}  // namespace cordon::platform
