#pragma once

#include <absl/status/status.h>

#include <functional>
#include <memory>
#include <string_view>

namespace cordon::platform {

// Looks on as DNS messages arrive at this host by UDP from port 53, from loopback too (a resolver on the
// host). What it gives is bytes from the network, unproven and unparsed. DNS over TCP, TLS or HTTPS is not
// seen. Works in the network namespace of the thread that calls Start.
class DnsObserver {
 public:
  virtual ~DnsObserver() = default;
  // Starts a thread that calls `deliver` with each message. PERMISSION_DENIED without the right to
  // (CAP_NET_RAW).
  virtual absl::Status Start(std::function<void(std::string_view message)> deliver) = 0;
  // Returns after the last call of `deliver`. Idempotent.
  virtual void Stop() = 0;
};

std::unique_ptr<DnsObserver> MakeDnsObserver();

}  // namespace cordon::platform
