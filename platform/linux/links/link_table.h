#pragma once

#include <absl/status/statusor.h>
#include <linux/netlink.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "platform/linux/system/netlink.h"

namespace cordon::platform {

struct Link {
  std::string name;
  uint32_t index = 0;
  bool loopback = false;
};

// The interfaces of one network namespace: that of the thread that calls Open. Not thread-safe.
class LinkTable {
 public:
  absl::Status Open() { return socket_.Open(); }
  absl::StatusOr<std::vector<Link>> List();

 private:
  NetlinkSocket socket_{NETLINK_ROUTE};
};

}  // namespace cordon::platform
