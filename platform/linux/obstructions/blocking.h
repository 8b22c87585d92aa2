#pragma once

// The pure half: texts to what blocks the agent's channel.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/network.h"
#include "platform/linux/bypasses/foreign_rules.h"

namespace cordon::platform {

// How well a rule's matches fit packets of the channel.
enum class Fit {
  kNo,       // some match is against it
  kAll,      // it matches everything
  kMaybe,    // matches that are not understood decide
  kChannel,  // it names the controller's address or port, or the agent's mark, and nothing is against it
};

// Packets to `controller` (outbound) or from it, TCP, the agent's mark on outbound ones.
Fit FitOf(std::string_view rule, const Endpoint& controller, bool outbound, uint32_t mark);

// The rules of a table whose base chains are `chains` that drop or refuse packets of the channel: those that
// name it or match everything, and policies that drop where no rule accepts it. One sentence each.
std::vector<std::string> BlockingRules(const std::vector<BaseChain>& chains, const std::vector<Rule>& rules,
                                       const std::vector<Endpoint>& controllers, uint32_t mark);

}  // namespace cordon::platform
