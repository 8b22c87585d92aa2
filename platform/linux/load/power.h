#pragma once

#include <filesystem>
#include <optional>

namespace cordon::platform {

// From a folder like /sys/class/power_supply: a battery of the machine (not of a mouse) gives, and no mains
// are plugged in. Nothing: there is no such battery.
std::optional<bool> ReadOnBattery(const std::filesystem::path& supplies);

}  // namespace cordon::platform
