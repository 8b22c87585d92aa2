#pragma once

#include <absl/status/status.h>

#include <functional>
#include <string_view>
#include <thread>

#include "platform/linux/system/fd.h"

namespace cordon::platform {

// A thread that waits for what the kernel tells a netlink group, in the network namespace in which the thread
// that calls Start is.
class NetlinkNews {
 public:
  struct Group {
    int bus = 0;            // NETLINK_ROUTE, …
    int number = 0;         // RTNLGRP_LINK, …
    int buffer_bytes = 0;   // 0: the system's size; a loss is told as ENOBUFS
    std::string_view what;  // for errors: "cannot WHAT"
  };

  ~NetlinkNews() { Stop(); }

  // `there` is called on the new thread whenever there is something to be read from Socket(), which never
  // blocks. FAILED_PRECONDITION when it runs already.
  absl::Status Start(const Group& group, std::function<void()> there);
  // Joins. Idempotent.
  void Stop();

  // Invalid until the first Start; stays readable after Stop.
  const Fd& Socket() const { return socket_; }

 private:
  void Wait(const std::function<void()>& there) const;

  Fd socket_;
  Fd stop_;
  std::thread thread_;
};

}  // namespace cordon::platform
