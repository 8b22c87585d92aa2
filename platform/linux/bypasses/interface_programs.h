#pragma once

// Programs and filters that sit on interfaces beside the packet filter: XDP, BPF programs and filters of
// traffic control.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "platform/linux/system/netlink.h"

namespace cordon::platform {

struct InterfaceProgram {
  uint32_t interface_index = 0;
  std::string interface;
  std::string what;         // "an XDP program", "a traffic control filter (u32, mirred)"
  bool may_bypass = false;  // it can send packets elsewhere or rewrite them
  friend bool operator==(const InterfaceProgram&, const InterfaceProgram&) = default;
};

// Of every interface in the namespace of `route` (rtnetlink) and of the calling thread; each once.
absl::StatusOr<std::vector<InterfaceProgram>> ListInterfacePrograms(NetlinkSocket& route);

}  // namespace cordon::platform
