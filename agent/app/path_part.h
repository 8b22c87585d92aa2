#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/event/part_health.h"
#include "common/base/clock.h"
#include "platform/api/obstruction_finder.h"

namespace cordon::agent {

// Health of "cordon.path": whether something on this host stands between the agent and its controllers. While
// the agent is connected nothing does; while it is not, what others have set up is looked at and named.
// Thread-safe.
class PathPart final : public HealthPart {
 public:
  // `finder` and `clock` must outlive it. `connected` is called on the thread of Prove.
  PathPart(platform::ObstructionFinder* finder, const Clock* clock, std::vector<std::string> names,
           std::function<bool()> connected);

  // Where the controllers are dialled, and by name where one answered last, whenever that changes.
  void SetControllers(std::vector<Endpoint> controllers);
  void SetReached(std::map<std::string, boost::asio::ip::address> reached);

  std::string Name() const override { return "cordon.path"; }
  void Prove() override;
  PartState State() const override;

 private:
  platform::ObstructionFinder* const finder_;
  const Clock* const clock_;
  const std::function<bool()> connected_;
  std::mutex proving_;  // the finder is for one thread at a time
  mutable std::mutex mutex_;
  platform::ChannelFacts channel_;  // guarded by mutex_
  PartState state_;                 // guarded by mutex_
};

// The names among "host:port" pairs, not the addresses.
std::vector<std::string> NamesOf(const std::vector<HostPort>& controllers);

}  // namespace cordon::agent
