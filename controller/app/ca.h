#pragma once

// `cordon-controller ca …` and `log-key …`: the keys of the controller itself.

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>

#include "common/base/clock.h"

namespace cordon::controller {

// Each returns what to tell a person, with the next step. No controller may run on `data` meanwhile.

// The certificate authorities, and whether the trust bundle in force names them.
absl::StatusOr<std::string> ShowAuthorities(const std::filesystem::path& data, const Clock& clock);
absl::StatusOr<std::string> PrepareCa(const std::filesystem::path& data, const Clock& clock);
// FAILED_PRECONDITION unless the trust bundle in force names the old and the new one: hosts would not believe
// the controller.
absl::StatusOr<std::string> UseCa(const std::filesystem::path& data, const Clock& clock);
// FAILED_PRECONDITION while the trust bundle in force names the old one, or a host has no certificate of the
// new one.
absl::StatusOr<std::string> RetireCa(const std::filesystem::path& data, const Clock& clock);

// Another key for the audit log, for a controller that was set back to a copy (decision 0017). Hosts refuse
// its orders until a change of trust names the key.
absl::StatusOr<std::string> NewLogKey(const std::filesystem::path& data, const Clock& clock);

}  // namespace cordon::controller
