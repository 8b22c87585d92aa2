#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>

#include "agent/link/host_state.h"
#include "common/base/clock.h"
#include "cordon/v1/gateway.grpc.pb.h"

namespace cordon::agent {

// Renews the host's certificate at half of its life, with a new key, over whatever connection there is
// (AUT-1). On the agent loop.
class Renewer {
 public:
  // The stub of the connection in use, or nullptr.
  using StubInUse = std::function<v1::AgentGateway::Stub*()>;

  // `state` outlives this; its credentials are replaced, on disk first, before `renewed` is called.
  Renewer(boost::asio::io_context& loop, const Clock& clock, std::filesystem::path state_dir,
          std::chrono::nanoseconds check_interval, HostState& state, StubInUse stub_in_use,
          std::function<void()> renewed);

  void Start();
  // `stopped` on the loop when no call is under way any more.
  void Stop(std::function<void()> stopped);

 private:
  struct Call;

  void Tick();
  absl::Status Ask(v1::AgentGateway::Stub& stub);
  void OnAnswer(const Call& call, const absl::Status& status);
  absl::Status Accept(const Call& call);
  void Failed(const absl::Status& why);

  boost::asio::io_context& loop_;
  const Clock& clock_;
  const std::filesystem::path state_dir_;
  const std::chrono::nanoseconds check_interval_;
  HostState& state_;
  const StubInUse stub_in_use_;
  const std::function<void()> renewed_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<Call> call_;
  int64_t not_before_boot_nanos_ = 0;  // of the next try
  uint32_t failures_ = 0;
  std::function<void()> stopped_;
  bool stopping_ = false;
};

}  // namespace cordon::agent
