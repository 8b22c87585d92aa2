#include "agent/app/path_part.h"

#include <utility>

#include "common/base/strings.h"

namespace cordon::agent {

PathPart::PathPart(platform::ObstructionFinder* finder, const Clock* clock, std::vector<std::string> names,
                   std::function<bool()> connected)
    : finder_(finder),
      clock_(clock),
      connected_(std::move(connected)),
      channel_{.names = std::move(names), .controllers = {}} {}

void PathPart::SetControllers(std::vector<Endpoint> controllers) {
  const std::lock_guard lock(mutex_);
  channel_.controllers = std::move(controllers);
}

void PathPart::SetReached(std::map<std::string, boost::asio::ip::address> reached) {
  const std::lock_guard lock(mutex_);
  channel_.reached = std::move(reached);
}

void PathPart::Prove() {
  const std::lock_guard proving(proving_);
  PartState state{.serving = true, .detail = "", .last_proof_unix_nanos = clock_->WallNanos()};
  if (!connected_()) {
    const auto channel = [this] {
      const std::lock_guard lock(mutex_);
      return channel_;
    }();
    const std::vector<std::string> found = finder_->Find(channel);
    state.serving = found.empty();
    for (const std::string& each : found) StrAppend(&state.detail, state.detail.empty() ? "" : "; ", each);
    if (found.empty()) {
      state.detail = "the controller is not reached, and nothing on this host is seen to stand in the way";
    }
  }
  const std::lock_guard lock(mutex_);
  state_ = std::move(state);
}

// What stood in the way of a connection says nothing once there is one.
PartState PathPart::State() const {
  const bool connected = connected_();
  const std::lock_guard lock(mutex_);
  PartState state = state_;
  if (connected && state.last_proof_unix_nanos != 0) {
    state.serving = true;
    state.detail.clear();
  }
  return state;
}

std::vector<std::string> NamesOf(const std::vector<HostPort>& controllers) {
  std::vector<std::string> names;
  for (const HostPort& controller : controllers) {
    boost::system::error_code error;
    boost::asio::ip::make_address(controller.host, error);
    if (error) names.push_back(controller.host);
  }
  return names;
}

}  // namespace cordon::agent
