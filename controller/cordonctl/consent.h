#pragma once

#include <absl/status/status.h>

#include <string>
#include <string_view>

#include "controller/cordonctl/tool.h"

namespace cordon::ctl {

// Says `sentence` and asks, unless `yes`. `nothing` is what has happened when the answer is no: "nothing was
// sent". INVALID_ARGUMENT when nobody can be asked; ABORTED when the answer is no.
absl::Status AskConsent(const Tool& tool, bool yes, const std::string& sentence, std::string_view nothing);

}  // namespace cordon::ctl
