#pragma once

#include <cstdint>

namespace cordon::platform {

// On every socket of the agent; the ruleset's permit for the controller asks for it. Setting it takes
// CAP_NET_ADMIN, so only root-like programs could borrow the permit (docs/known-issues.md).
inline constexpr uint32_t kAgentSocketMark = 0x0c04d071;

}  // namespace cordon::platform
