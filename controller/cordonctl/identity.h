#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cordon/v1/operator.pb.h"

namespace cordon::ctl {

// Flag, then CORDON_IDENTITY, then ~/.config/cordon/identity. INVALID_ARGUMENT when none can be told.
absl::StatusOr<std::filesystem::path> FindIdentity(const std::string& flag,
                                                   const std::function<const char*(const char*)>& getenv);

// Whatever the time is: an unlock code must not need a certificate that is still valid (AUT-5).
// FAILED_PRECONDITION, naming the file and what to do, when it is not there, cannot be read or is no identity
// file.
absl::StatusOr<v1::OperatorIdentity> ReadIdentity(const std::filesystem::path& path);

// Writes the file anew, whole or not at all, readable by its owner only.
absl::Status WriteIdentity(const std::filesystem::path& path, const v1::OperatorIdentity& identity);

struct LoadedIdentity {
  v1::OperatorIdentity identity;
  std::vector<std::string> warnings;  // others can read it; its certificate ends soon
};

// As ReadIdentity, and FAILED_PRECONDITION when its certificate has ended.
absl::StatusOr<LoadedIdentity> LoadIdentity(const std::filesystem::path& path, int64_t now_unix_nanos);

}  // namespace cordon::ctl
