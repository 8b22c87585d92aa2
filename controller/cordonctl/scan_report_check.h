#pragma once

// Reports of scans as an operator may believe them: by the host's signature, whatever the controller says.

#include <string>

#include "cordon/v1/operator.pb.h"

namespace cordon::ctl {

// `outcome` with no more of its scan's end than the host signed. When that cannot be verified its counts are
// gone, and its message says why. One that has not ended is as it was.
v1::OrderOutcome WithSignedReport(v1::OrderOutcome outcome, const v1::Host& host, const std::string& ca_pem);

// DONE by the controller's word, and not by the host's.
bool LacksReport(const v1::OrderOutcome& outcome);

}  // namespace cordon::ctl
