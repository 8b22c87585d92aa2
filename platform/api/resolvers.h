#pragma once

#include <absl/status/statusor.h>

#include <vector>

#include "common/base/network.h"

namespace cordon::platform {

// The DNS servers beyond this host that it has been told to ask (by hand, by DHCP), in the order in which
// they are asked; read anew on every call. A resolver on this host that only passes questions on is seen
// through where it says whom it asks. Empty when there are none, or none of them can be reached from another
// program; NOT_FOUND when the system says nothing.
absl::StatusOr<std::vector<Endpoint>> ReadResolvers();

}  // namespace cordon::platform
