#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/network.h"
#include "platform/api/connections.h"
#include "platform/api/packet_filter.h"

namespace cordon::agent {

// Why a flow passes, or why not.
enum class VerdictReason : uint8_t {
  kObserve,               // nothing is blocked
  kStaysOnHost,           // loopback, or the host to its own address
  kController,            // the agent's own channel
  kAddressConfiguration,  // DHCP
  kRule,                  // a rule of the profile
  kNotLateral,            // no-lateral blocks other protocols and networks
  kLateral,               // not allowed: a lateral-movement protocol in a private network
  kLevel,                 // not allowed: the level opens no more
};

struct FlowVerdict {
  bool allowed = false;
  VerdictReason reason = VerdictReason::kLevel;
  size_t rule = 0;  // kRule: its place in FilterPolicy::allow
};

// What `policy` makes of the flow, judged as the packet filter judges its packets. The one judge for all:
// which live connections a new level must cut (ISO-2), which packet is a forbidden one for a canary, and what
// a rehearsal foretells.
FlowVerdict Judge(const platform::FilterPolicy& policy, const platform::Connection& flow);

inline bool Allows(const platform::FilterPolicy& policy, const platform::Connection& flow) {
  return Judge(policy, flow).allowed;
}

}  // namespace cordon::agent
