#pragma once

// What enrolment leaves in the agent's state folder, and how it is read again.
//   host.key       the host's TLS key, made here, never sent (AUT-1); owner only
//   host.crt       its certificate, PEM
//   enrollment.pb  the enrolment file without token and bootstrap key
//   trust.pb       the SignedTrustBundle that the enrolment file pinned: the root of what TrustChain follows
//   unlock.key     the host's unlock key, made here, never sent (AUT-5; unlock_key.h); owner only

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/network.h"
#include "cordon/v1/gateway.pb.h"
#include "cordon/v1/order.pb.h"

namespace cordon::agent {

inline constexpr const char* kHostKeyFile = "host.key";
inline constexpr const char* kHostCertificateFile = "host.crt";
inline constexpr const char* kEnrollmentFile = "enrollment.pb";
inline constexpr const char* kTrustFile = "trust.pb";
inline constexpr const char* kUnlockKeyFile = "unlock.key";

// Who this host is. Site and labels are those of the enrolment file, never what a controller says (AUT-3);
// the id is the certificate's.
struct HostIdentity {
  std::string host_id;
  std::string organisation;
  std::string fleet_id;
  std::string site;
  std::vector<v1::Label> labels;
};

// The key and certificate that this host shows to controllers.
struct HostCredentials {
  std::string key_pem;
  std::string certificate_pem;
  int64_t not_before_unix_nanos = 0;
  int64_t not_after_unix_nanos = 0;
};

struct HostState {
  HostIdentity identity;
  HostCredentials credentials;
  std::string key_protection;         // what protects the key's file (key_protection.h)
  std::vector<HostPort> controllers;  // 1 to 8, in the order of the enrolment file
  std::string enrollment_ca_pem;      // of the enrolment file
  std::string ca_pem;           // the only trust anchors now: the above, or those of the bundle in force
  v1::SignedTrustBundle trust;  // the root
};

// True when the folder holds an enrolment (whole or interrupted).
bool IsEnrolled(const std::filesystem::path& state_dir);

// Finishes or undoes an interrupted replacement of the files first. FAILED_PRECONDITION when the host is not
// enrolled; DATA_LOSS, naming the file, when one is missing or damaged; UNAVAILABLE when what has sealed the
// key does not answer now.
absl::StatusOr<HostState> LoadHostState(const std::filesystem::path& state_dir);

// Replaces key and certificate together (AUT-1: renewal).
absl::Status StoreHostCredentials(const std::filesystem::path& state_dir, const HostCredentials& credentials);

}  // namespace cordon::agent
