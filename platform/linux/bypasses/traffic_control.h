#pragma once

// Filters of traffic control (tc) that could lead packets past the rules. The pure half: netlink messages to
// facts.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cordon::platform {

struct TrafficFilter {
  uint32_t interface_index = 0;
  std::string kind;    // "u32", "bpf", …
  std::string action;  // "mirred", …: the first one that sends elsewhere or rewrites
  friend bool operator==(const TrafficFilter&, const TrafficFilter&) = default;
};

// Of the payload of an RTM_NEWTFILTER message; nothing for a filter that only sorts, counts or drops.
std::optional<TrafficFilter> ParseTrafficFilter(const void* payload, size_t bytes);

// The action's name, if `options`, a filter's attributes, hold an action that sends elsewhere or rewrites.
std::string RewritingAction(std::string_view options);

}  // namespace cordon::platform
