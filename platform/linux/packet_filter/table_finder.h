#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "platform/linux/system/netlink.h"

namespace cordon::platform {

// Tells whether `table FAMILY NAME` stands. Libnftables' "list tables" reads every rule and set element
// there is to answer that; this is one small request.
class TableFinder {
 public:
  // Works in the network namespace in which the calling thread is now.
  TableFinder() : opened_(socket_.Open()) {}

  // `family`: "inet" or "netdev". PERMISSION_DENIED without CAP_NET_ADMIN.
  absl::StatusOr<bool> Stands(std::string_view family, const std::string& name);

 private:
  NetlinkSocket socket_{NETLINK_NETFILTER};
  absl::Status opened_;
};

}  // namespace cordon::platform
