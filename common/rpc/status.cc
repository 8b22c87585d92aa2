#include "common/rpc/status.h"

#include <string>

#include "common/base/status.h"

namespace cordon {
namespace {

constexpr size_t kMaxMessageBytes = 1'000;

}  // namespace

// absl::StatusCode and grpc::StatusCode number the same codes alike, by their documentation.

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.code()),
          std::string(Message(status).substr(0, kMaxMessageBytes))};
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

}  // namespace cordon
