#pragma once

#include <absl/status/status.h>
#include <grpcpp/support/channel_arguments.h>

namespace cordon::agent {

// Makes every socket that a channel with these arguments opens carry the agent's tag before it connects
// (platform/api/socket_tag.h); a socket that cannot be tagged is closed, and the dial fails.
// FAILED_PRECONDITION when the gRPC library in this process is not the one whose layout this was written for.
absl::Status TagSocketsOf(grpc::ChannelArguments* arguments);

}  // namespace cordon::agent
