#pragma once

// Requests to the kernel over netlink, by libmnl.

#include <absl/status/statusor.h>
#include <libmnl/libmnl.h>

#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace cordon::platform {

// One netlink socket in the network namespace of the thread that first uses it. Not thread-safe.
class NetlinkSocket {
 public:
  // Opened when first used; `bus` is NETLINK_ROUTE, ….
  explicit NetlinkSocket(int bus) : bus_(bus) {}

  // Opens it now, in the calling thread's network namespace, if it is not open yet.
  absl::Status Open();

  // Sends `request` (sequence and port are filled in) and calls `each` for every message of the answer until
  // it is acknowledged or done. UNAVAILABLE when what was listed changed meanwhile. The kernel's error, with
  // `what` before it, when it refuses. `each` may be empty.
  absl::Status Run(nlmsghdr* request, std::string_view what,
                   const std::function<void(const nlmsghdr*)>& each = {});

  // Sends messages that the kernel takes as one transaction, from batch begin to batch end (sequence and port
  // are filled in), and waits for the acknowledgements that they ask for. The first error when the kernel
  // refuses; nothing has changed then.
  absl::Status RunBatch(std::span<char> batch, std::string_view what);

 private:
  struct Close {
    void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
  };

  const int bus_;
  std::unique_ptr<mnl_socket, Close> socket_;
  uint32_t sequence_ = 0;
};

}  // namespace cordon::platform
