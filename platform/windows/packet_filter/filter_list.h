#pragma once

// The pure half of isolation on Windows: a policy to the filters that enforce it. docs/levels.md says what
// each level opens.

#include <optional>
#include <string>
#include <vector>

#include "platform/api/packet_filter.h"
#include "platform/windows/packet_filter/filter.h"

namespace cordon::platform::wfp {

// Who is who, in the words that filters are written in.
struct Identities {
  std::string agent_program;  // NT path of the agent's executable, lower case; never empty
  std::string agent_service;  // SID of the agent's service
  // For each of FilterPolicy::programs its NT path; empty where there is none now: its rules then open
  // nothing.
  std::vector<std::string> programs;
};

// The filters of `policy` within Cordon's sub-layer; none for kObserve. Equal input gives equal output.
//
// Flows are held to program and direction at the ALE layers. The transport layers, which know neither, hold
// every packet to address and port, so that a flow from before a change is cut even where no program sends.
// Boot-time filters are the level's blocks and the host's own upkeep: no agent runs then, and no program
// whose work the profile would keep open.
std::vector<Filter> MakeFilterList(const FilterPolicy& policy, const Identities& who);

}  // namespace cordon::platform::wfp
