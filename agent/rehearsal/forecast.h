#pragma once

// What an isolate action would do to flows. Pure.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/flows/known_flow.h"
#include "cordon/v1/order.pb.h"
#include "cordon/v1/rehearsal.pb.h"
#include "platform/api/packet_filter.h"

namespace cordon::agent {

inline constexpr size_t kMaxForecastFlows = 5'000;
inline constexpr size_t kMaxForecastBytes = 2 * 1024 * 1024;

// One entry per kind, live ones first, then the most recent. What never leaves the host is left out: no level
// cuts it.
std::vector<KnownFlow> MergeKinds(std::vector<KnownFlow> flows);

// `policy` is the one that `action` would put in force (Isolation::Intended); flows are judged by the judge
// that cuts connections, so the two cannot disagree. A rule by name is taken to open the addresses that its
// names were seen to stand for, of the names that the guard answers. `flows` is what MergeKinds made; what
// does not fit into an answer is counted.
v1::Rehearsal Forecast(const v1::IsolateAction& action, platform::FilterPolicy policy,
                       const std::vector<KnownFlow>& flows);

}  // namespace cordon::agent
