#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <mutex>

#include "agent/event/part_health.h"
#include "agent/isolation/isolation.h"

namespace cordon::agent {

// Health of "cordon.isolation": the last Isolation::Prove(). Thread-safe; Prove runs on the agent loop and
// waits for it, on the loop's own thread it runs at once.
class IsolationPart final : public HealthPart {
 public:
  // `isolation` and `clock` must outlive it.
  IsolationPart(Isolation* isolation, boost::asio::any_io_executor agent_loop, const Clock* clock);

  std::string Name() const override { return "cordon.isolation"; }
  void Prove() override;
  PartState State() const override;

 private:
  Isolation* const isolation_;
  const boost::asio::any_io_executor agent_loop_;
  const Clock* const clock_;
  mutable std::mutex mutex_;
  PartState state_;
};

}  // namespace cordon::agent
