#pragma once

// The agent's local socket: grpc.health.v1 with one service name per part, LocalAgent, and reflection.

#include <absl/status/statusor.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "cordon/v1/local.pb.h"

namespace cordon::agent {

class LocalServer {
 public:
  // Listens on unix:`socket`, mode 0600. A socket that nobody answers on is replaced; ALREADY_EXISTS when
  // another agent does. `status` is called on gRPC's threads.
  static absl::StatusOr<std::unique_ptr<LocalServer>> Start(const std::filesystem::path& socket,
                                                            std::function<v1::GetStatusResponse()> status);
  virtual ~LocalServer() = default;

  // What grpc.health.v1 answers for `part`. The whole agent, the empty name, serves while every part that was
  // told of does. Thread-safe.
  virtual void SetServing(const std::string& part, bool serving) = 0;
};

// Asks a running agent. UNAVAILABLE when none listens on the socket.
absl::StatusOr<v1::GetStatusResponse> AskLocalAgent(const std::filesystem::path& socket);

}  // namespace cordon::agent
