#pragma once

#include "common/base/network.h"
#include "platform/api/connections.h"
#include "platform/api/packet_filter.h"

namespace cordon::agent {

// Whether `policy` lets the flow pass, judged as the packet filter judges its packets: which live connections
// a new level must cut (ISO-2), and which packet is a forbidden one for a canary.
bool Allows(const platform::FilterPolicy& policy, const platform::Connection& flow);

}  // namespace cordon::agent
