#pragma once

// The host's own half of what frees it by phone (AUT-5). Made at enrolment; the public half goes to
// controllers with the host's facts, which hand it to operators.

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>

#include "common/crypto/key.h"

namespace cordon::agent {

struct UnlockKey {
  KeyPtr key;
  std::string public_key;  // 32 bytes
  std::string notice;      // what a person should know: the key is another than it was; empty: nothing
};

// The key of `state_dir`. A host that enrolled before there were unlock keys makes it now; a damaged one is
// set aside for a new one. Operators can answer with a new key once a controller has heard of it.
// UNAVAILABLE: what has sealed it does not answer now.
absl::StatusOr<UnlockKey> LoadOrMakeUnlockKey(const std::filesystem::path& state_dir);

}  // namespace cordon::agent
