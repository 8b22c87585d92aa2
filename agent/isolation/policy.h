#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "common/base/network.h"
#include "cordon/v1/order.pb.h"
#include "platform/api/packet_filter.h"

namespace cordon::agent {

// What `action` asks of the packet filter. Every field is checked: INVALID_ARGUMENT names the field and the
// rule. Rules by host name get a place in `name_sets`, which are still empty (agent/names/name_list.h).
absl::StatusOr<platform::FilterPolicy> PolicyOf(const v1::IsolateAction& action);

// The same of what a policy lets the host take by itself. What its lease leads to is not asked: the order is
// back then.
absl::StatusOr<platform::FilterPolicy> PolicyOf(const v1::SelfIsolation& allowed);

// The same policy at another level, with the rules that the level takes.
platform::FilterPolicy AtLevel(platform::FilterPolicy policy, platform::Level level);

// "profile rule 2 (the practice system)"; `at` counts from 0.
std::string RuleName(const v1::Profile& profile, size_t at);

// "essential".
std::string LevelName(platform::Level level);

}  // namespace cordon::agent
