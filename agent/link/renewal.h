#pragma once

#include <absl/status/statusor.h>
#include <openssl/types.h>

#include <cstdint>
#include <string>

#include "agent/link/host_state.h"

namespace cordon::agent {

// When to ask for the next certificate: at half of the life of this one (AUT-1), again after each failure
// with a wait that grows from 1/64 of its life, and never less than a second apart. Unix nanoseconds.
int64_t RenewalDue(const HostCredentials& credentials);
int64_t RenewalRetryNanos(const HostCredentials& credentials, uint32_t failures);

// What a controller gave for `key`: of the pinned CA, for that key, and for this host and nobody else.
absl::StatusOr<HostCredentials> CheckRenewedCertificate(const HostState& state,
                                                        const std::string& certificate_pem,
                                                        const EVP_PKEY& key, int64_t now_unix_nanos);

}  // namespace cordon::agent
