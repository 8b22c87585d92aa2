#pragma once

// What hosts foretell of an isolate action, for people. Pure.

#include <cstdint>
#include <span>
#include <string>

#include "cordon/v1/operator.pb.h"

namespace cordon::ctl {

// One host: each kind of flow, what would be cut first. Several: how many of them would lose or keep each
// kind, then a line per host. `now` is for "ago".
std::string RehearsalText(std::span<const v1::RehearseResponse> answers, int64_t now_unix_nanos);

}  // namespace cordon::ctl
