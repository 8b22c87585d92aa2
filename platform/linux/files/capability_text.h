#pragma once

#include <string>
#include <string_view>

namespace cordon::platform {

// The value of security.capability as getcap prints it: "cap_net_admin,cap_net_raw=ep". Empty when it is no
// such value, or gives nothing. Pure.
std::string CapabilityText(std::string_view value);

}  // namespace cordon::platform
