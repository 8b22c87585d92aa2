#pragma once

#include "agent/app/config.h"
#include "cordon/v1/gateway.pb.h"
#include "platform/api/system.h"

namespace cordon::agent {

// What controllers are told of this machine.
v1::HostFacts MakeHostFacts(const platform::SystemFacts& system, const AgentConfig& config);

}  // namespace cordon::agent
