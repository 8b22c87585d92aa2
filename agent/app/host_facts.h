#pragma once

#include <string>
#include <vector>

#include "agent/app/config.h"
#include "cordon/v1/gateway.pb.h"
#include "platform/api/system.h"

namespace cordon::agent {

// A controller refuses whoever tells more (controller/server/bounds.cc).
inline constexpr int kMostToldAddresses = 64;

// Of `addresses` as many as may be told, those that lead beyond their own link before the others.
void TellAddresses(const std::vector<std::string>& addresses, v1::HostFacts* facts);

// What controllers are told of this machine.
v1::HostFacts MakeHostFacts(const platform::SystemFacts& system, const AgentConfig& config);

}  // namespace cordon::agent
