#pragma once

// The agent's local socket: grpc.health.v1 with one service name per part, LocalAgent, and reflection.

#include <absl/status/statusor.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "cordon/v1/local.pb.h"

namespace cordon::agent {

// What the calls of LocalAgent do; each is made on one of gRPC's threads. A call without one is
// UNIMPLEMENTED.
struct LocalCalls {
  template <typename Request, typename Response>
  using Async = std::function<void(const Request&, std::function<void(absl::StatusOr<Response>)> done)>;

  std::function<v1::GetStatusResponse()> status;
  // These call `done` once, on any thread.
  Async<v1::BeginUnlockRequest, v1::BeginUnlockResponse> begin_unlock;
  Async<v1::AnswerUnlockRequest, v1::AnswerUnlockResponse> answer_unlock;
};

class LocalServer {
 public:
  // Listens on unix:`socket`, mode 0600. A socket that nobody answers on is replaced; ALREADY_EXISTS when
  // another agent does.
  static absl::StatusOr<std::unique_ptr<LocalServer>> Start(const std::filesystem::path& socket,
                                                            LocalCalls calls);
  virtual ~LocalServer() = default;

  // What grpc.health.v1 answers for `part`. The whole agent, the empty name, serves while every part that was
  // told of does. Thread-safe.
  virtual void SetServing(const std::string& part, bool serving) = 0;
};

// Asks a running agent. UNAVAILABLE when none listens on the socket.
absl::StatusOr<v1::GetStatusResponse> AskLocalAgent(const std::filesystem::path& socket);
// The errors of LocalAgent, and UNAVAILABLE.
absl::StatusOr<v1::BeginUnlockResponse> BeginUnlock(const std::filesystem::path& socket,
                                                    const v1::BeginUnlockRequest& request);
absl::StatusOr<v1::AnswerUnlockResponse> AnswerUnlock(const std::filesystem::path& socket,
                                                      const v1::AnswerUnlockRequest& request);

}  // namespace cordon::agent
