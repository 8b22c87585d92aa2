#pragma once

#include <absl/status/statusor.h>
#include <openssl/types.h>

#include <chrono>
#include <filesystem>

#include "agent/link/host_state.h"
#include "common/base/clock.h"
#include "cordon/v1/gateway.pb.h"

namespace cordon::agent {

struct EnrollOptions {
  std::filesystem::path file;
  std::filesystem::path state_dir;
  bool replace = false;  // give up an enrolment that exists
  v1::HostFacts facts;
  std::chrono::seconds timeout{20};  // for each controller address
};

// Makes the host's key, asks a controller of the file for a certificate, checks all of the answer, and only
// then writes the state folder, all files or none (AUT-1). Blocks; no other thread of the process needs to
// run. The caller holds the folder's lock. Every error leaves the folder as it was:
//   INVALID_ARGUMENT     the file is cut, altered or not an enrolment file
//   FAILED_PRECONDITION  it has expired, or the host is enrolled already and `replace` is not set
//   PERMISSION_DENIED    the controller refused, or its answer is not to be trusted
//   UNAVAILABLE          no controller could be reached; says why for each
absl::StatusOr<HostState> Enroll(const EnrollOptions& options, const Clock& clock);

// The checks of the answer alone: the certificate is of the pinned CA, for `key`, of kind host and for the
// host_id named; the trust bundle is the one the file pins by hash, and is for this fleet.
absl::StatusOr<HostState> CheckEnrollResponse(const v1::EnrollmentFile& file,
                                              const v1::EnrollResponse& response, const EVP_PKEY& key,
                                              int64_t now_unix_nanos);

}  // namespace cordon::agent
