#pragma once

#include <absl/status/statusor.h>

#include "controller/cordonctl/tool.h"
#include "cordon/v1/operator.pb.h"

namespace cordon::ctl {

// Asks the hosts of the order's target what its isolate action would do to their flows, and shows it. Changes
// nothing. kNotAllAnswered when a host did not answer in
// `timeout_nanos` (0 = ten seconds, at most a minute).
absl::StatusOr<ExitCode> Rehearse(const Tool& tool, const Client& client, const v1::Order& order,
                                  int64_t timeout_nanos);

}  // namespace cordon::ctl
