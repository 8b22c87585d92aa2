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

struct LoadedIdentity {
  v1::OperatorIdentity identity;
  std::vector<std::string> warnings;  // others can read it; its certificate ends soon
};

// FAILED_PRECONDITION, naming the file and what to do, when it is not there, cannot be read, is no identity
// file, or its certificate has ended.
absl::StatusOr<LoadedIdentity> LoadIdentity(const std::filesystem::path& path, int64_t now_unix_nanos);

}  // namespace cordon::ctl
