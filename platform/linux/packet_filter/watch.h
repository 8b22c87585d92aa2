#pragma once

// The pure half of the leak counter: tables `inet cordon-watch` and `netdev cordon-watch`. They stand behind
// Cordon's own and behind everybody else's, hold the same rules, and count where those drop: what is counted
// there has passed although the level forbids it. Outbound packets are counted where they leave an interface,
// inbound ones where they enter the host's own stack; so none is counted twice.

#include <string>
#include <vector>

#include "platform/linux/packet_filter/ruleset.h"

namespace cordon::platform {

// None for kObserve. The order of `uplinks` does not matter. The tables' name is not a part of Table: see
// FormatWatch.
std::vector<Table> MakeWatch(const FilterPolicy& policy, std::vector<Uplink> uplinks);

// One transaction from whatever stands to `tables`.
std::string FormatWatch(const std::vector<Table>& tables);

}  // namespace cordon::platform
