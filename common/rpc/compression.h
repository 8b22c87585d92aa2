#pragma once

// gRPC inflates a compressed message before it looks at its size, so that some kilobytes become gigabytes
// (AUT-6). Nothing here needs it: batches are packed by themselves.

#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

namespace cordon {

// Neither sends nor inflates compressed messages: a peer that sends one gets, or is given up with,
// UNIMPLEMENTED.
void RefuseCompression(grpc::ServerBuilder& builder);
void RefuseCompression(grpc::ChannelArguments& arguments);

}  // namespace cordon
