#include "platform/linux/flows/flow_sampler.h"

#include <utility>

#include "common/base/status.h"
#include "platform/api/socket_owners.h"
#include "platform/api/system.h"

namespace cordon::platform {

FlowSampler::FlowSampler() : connections_(MakeConnectionTable()), clock_(MakeSystemClock()) {}

absl::StatusOr<std::vector<RawFlow>> FlowSampler::Sample() {
  CORDON_ASSIGN_OR_RETURN(std::vector<Connection> connections, connections_->List());
  std::erase_if(connections, [](const Connection& connection) {
    return connection.remote.address.is_loopback() || connection.remote.address == connection.local.address;
  });
  std::unordered_set<uint64_t> keys;
  for (const Connection& connection : connections) {
    if (connection.owner_key != 0) keys.insert(connection.owner_key);
  }
  const auto owners = keys.empty() ? decltype(FindSocketOwners(keys))() : FindSocketOwners(keys);
  std::unordered_set<uint64_t> open;
  std::vector<RawFlow> flows;
  flows.reserve(connections.size());
  for (Connection& connection : connections) {
    open.insert(connection.cookie);
    RawFlow& flow = flows.emplace_back();
    flow.boottime_nanos = clock_->BootNanos();
    flow.times = open_before_.contains(connection.cookie) ? 0 : 1;
    if (const auto owner = owners.find(connection.owner_key); owner != owners.end()) {
      flow.pid = owner->second.pid;
      flow.executable = owner->second.executable;
    }
    flow.flow = std::move(connection);
  }
  open_before_ = std::move(open);
  return flows;
}

}  // namespace cordon::platform
