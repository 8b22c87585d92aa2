#pragma once

#include <string>

#include "cordon/v1/local.pb.h"

namespace cordon::agent {

// What `cordon-agent status` prints for a person: what is enforced and why first, then the link, the parts,
// the spool.
std::string StatusText(const v1::GetStatusResponse& status, int64_t now_unix_nanos);

// The same as one line of JSON, in the form of common/wire/json.h.
std::string StatusJson(const v1::GetStatusResponse& status);

}  // namespace cordon::agent
