#include "agent/isolation/isolation_part.h"

#include <boost/asio/dispatch.hpp>
#include <future>
#include <memory>
#include <utility>

#include "common/base/status.h"

namespace cordon::agent {

IsolationPart::IsolationPart(Isolation* isolation, boost::asio::any_io_executor agent_loop,
                             const Clock* clock)
    : isolation_(isolation), agent_loop_(std::move(agent_loop)), clock_(clock) {}

void IsolationPart::Prove() {
  // The promise is shared: when the loop is late, its answer arrives after this call has given up.
  const auto promise = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> proved = promise->get_future();
  boost::asio::dispatch(agent_loop_,
                        [isolation = isolation_, promise] { promise->set_value(isolation->Prove()); });
  absl::Status status = absl::DeadlineExceededError("the agent loop did not answer in time");
  if (proved.wait_for(kCanaryTimeout) == std::future_status::ready) status = proved.get();
  const std::lock_guard lock(mutex_);
  state_.serving = status.ok();
  state_.detail = Message(status);
  if (status.ok()) state_.last_proof_unix_nanos = clock_->WallNanos();
}

PartState IsolationPart::State() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

}  // namespace cordon::agent
