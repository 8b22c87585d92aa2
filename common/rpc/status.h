#pragma once

// The one place where the project's errors become gRPC's and come back.

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

namespace cordon {

// Same code, same message; the message is cut at 1,000 bytes, because it travels in an HTTP/2 header.
grpc::Status ToGrpcStatus(const absl::Status& status);

absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace cordon
