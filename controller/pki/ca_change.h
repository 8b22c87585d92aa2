#pragma once

// Another certificate authority for a fleet, without an hour in which somebody cannot be reached:
//   prepare   makes it, beside the one in use: ca-next.key, ca-next.crt
//   (the trust bundle names both: cordonctl trust ca; hosts and operators believe both from then on)
//   use       everything is issued by it from the next start on; the old one is still believed: ca-old.crt
//   retire    the old one is forgotten
// Callers hold the fleet's data folder for themselves: no controller runs on it.

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>

#include "common/base/clock.h"

namespace cordon::controller {

struct AuthoritiesOnDisk {
  std::string in_use_pem;
  std::string next_pem;  // empty: none is prepared
  std::string old_pem;   // empty: none is on its way out
};

absl::StatusOr<AuthoritiesOnDisk> ReadAuthorities(const std::filesystem::path& pki_folder);

// ALREADY_EXISTS: one is prepared; FAILED_PRECONDITION: an old one is to be retired first.
absl::Status PrepareAuthority(const std::filesystem::path& pki_folder, const std::string& organisation,
                              const Clock& clock);

// FAILED_PRECONDITION: none is prepared. What a power cut leaves of it is finished by FinishChange.
absl::Status UseAuthority(const std::filesystem::path& pki_folder);

// Twice is once.
absl::Status RetireAuthority(const std::filesystem::path& pki_folder);

// After a power cut within UseAuthority. Changes nothing else.
absl::Status FinishChange(const std::filesystem::path& pki_folder);

}  // namespace cordon::controller
