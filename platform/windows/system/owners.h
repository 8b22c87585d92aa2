#pragma once

// Whose files the agent trusts. No Windows header: tested on every system.

#include <string_view>

namespace cordon::platform {

// True for the system, administrators, the installer of Windows, and the caller's own account.
bool IsTrustedOwner(std::string_view owner_sid, std::string_view own_sid);

}  // namespace cordon::platform
