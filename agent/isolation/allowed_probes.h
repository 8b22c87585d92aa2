#pragma once

// What the profile opens, as packets that must be able to leave this host (ISO-7). Pure.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/isolation/probes.h"
#include "platform/api/packet_filter.h"

namespace cordon::agent {

inline constexpr size_t kMostAllowedProbes = 8;  // in one receipt

struct AllowedProbe {
  size_t rule = 0;  // its place in FilterPolicy::allow
  AllowedPacket packet;
  friend bool operator==(const AllowedProbe&, const AllowedProbe&) = default;
};

struct AllowedPlan {
  std::vector<AllowedProbe> probes;
  uint64_t next_turn = 0;  // for the next call
};

// At most `most` of the destinations to which the rules of `policy` let this host open flows: an address of
// each of their networks, each address that is open for their names now. They are numbered through all rules,
// and `turn` says from which one on; after the last one it begins anew with the next port range of each rule.
// Left out is what goes to the DNS guard instead (port 53), and addresses that stand for no single host.
AllowedPlan PlanAllowed(const platform::FilterPolicy& policy, uint64_t turn, size_t most);

// Whether a rule of `policy` opens it.
bool IsAllowed(const platform::FilterPolicy& policy, const AllowedProbe& probe);

// "tcp4 allowed", "icmp6 allowed".
std::string NameOf(const AllowedPacket& packet);

}  // namespace cordon::agent
