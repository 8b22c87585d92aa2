#pragma once

#include <absl/status/statusor.h>

#include "cordon/v1/operator.pb.h"

namespace cordon::ctl {

// The enrolment file as it is handed out, from what the controller made: fleet, CA, site and labels must be
// what the operator's own identity and request say, and the hash of the trust bundle is the identity's. So a
// captured controller cannot have hosts join with other operators (AUT-1). PERMISSION_DENIED names what
// differs.
absl::StatusOr<v1::EnrollmentFile> CompleteEnrollment(v1::EnrollmentFile file,
                                                      const v1::OperatorIdentity& identity,
                                                      const v1::CreateEnrollmentRequest& request);

}  // namespace cordon::ctl
