#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "cordon/v1/operator.pb.h"

namespace cordon {

inline constexpr size_t kMaxOperatorIdentityBytes = 64 * 1024;

// The armoured text of an operator's identity file. It holds private keys: write it with owner-only access.
std::string WriteOperatorIdentity(const v1::OperatorIdentity& identity);

// INVALID_ARGUMENT, naming the field, for text that is cut, of another kind, or whose keys and certificate
// are unreadable or do not belong together. Does not judge the certificate's time: the caller has the clock.
absl::StatusOr<v1::OperatorIdentity> ReadOperatorIdentity(std::string_view text);

}  // namespace cordon
