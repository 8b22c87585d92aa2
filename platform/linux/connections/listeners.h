#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

namespace cordon::platform {

struct Listener {
  uint16_t port = 0;
  uint64_t owner_key = 0;  // as Connection::owner_key
};

// TCP ports that are listened on now, IPv4 and IPv6, in the network namespace of the calling thread.
absl::StatusOr<std::vector<Listener>> ListTcpListeners();

}  // namespace cordon::platform
