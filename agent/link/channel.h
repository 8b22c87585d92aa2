#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/channel.h>

#include <chrono>
#include <memory>
#include <string>

#include "common/base/network.h"
#include "common/rpc/tls.h"

namespace cordon::agent {

struct ChannelRequest {
  Endpoint endpoint;     // where to dial
  std::string tls_name;  // name or address that the controller's certificate must carry
  TlsIdentity tls;
  std::chrono::nanoseconds connect_timeout{};
  std::chrono::nanoseconds keepalive_interval{};
  std::chrono::nanoseconds keepalive_timeout{};
};

// A channel of its own (no connection is shared with another one), TLS 1.3 only, sockets tagged. Does not
// dial yet.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ChannelRequest& request);

}  // namespace cordon::agent
