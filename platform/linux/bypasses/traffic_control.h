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
  std::string action;  // "mirred", …: the one that sends elsewhere or rewrites; empty: none does
  friend bool operator==(const TrafficFilter&, const TrafficFilter&) = default;
};

// Of the payload of an RTM_NEWTFILTER message; nothing for bytes that are none.
std::optional<TrafficFilter> ParseTrafficFilter(const void* payload, size_t bytes);

// The action's name, if `options`, a filter's attributes, hold an action that sends elsewhere or rewrites.
std::string RewritingAction(std::string_view options);

}  // namespace cordon::platform
