#pragma once

#include <string_view>
#include <vector>

#include "common/base/network.h"

namespace cordon::platform {

// The name servers of a resolv.conf (5) that are not on this host, each once, at most kMaxResolvers.
// Link-local ones are left out: they need an interface.
inline constexpr size_t kMaxResolvers = 8;
std::vector<Endpoint> ParseResolvConf(std::string_view text);

}  // namespace cordon::platform
