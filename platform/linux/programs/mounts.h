#pragma once

// The pure half: /proc/self/mountinfo and /proc/self/fdinfo.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cordon::platform {

// The device of the file system that is mounted with this number, as the kernel numbers devices
// (major << 20 | minor). stat's st_dev is another one on btrfs and overlayfs.
std::optional<uint32_t> DeviceOfMount(std::string_view mountinfo, uint64_t mount_id);

// A field of mountinfo as it is meant: blanks, tabs, newlines and backslashes are written there as \040 and
// so on.
std::string UnescapeMountField(std::string_view text);

// Where the root of the unified cgroup hierarchy is mounted; empty when it is not.
std::string UnifiedHierarchy(std::string_view mountinfo);

// A number of /proc/self/fdinfo/N: "mnt_id", "ino" (since Linux 5.15).
std::optional<uint64_t> FdInfoNumber(std::string_view fdinfo, std::string_view key);

}  // namespace cordon::platform
